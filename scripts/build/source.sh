# shellcheck shell=bash disable=SC2034,SC2154  # the variables are those of build_llama.sh
# From the pinned source distribution to a patched tree: fetch, verify, unpack, commit, apply; and back to patches.
# The tree is a git repository of its own: in an ignored folder of ours, `git apply` skips a patch and exits 0.

archive=$build/downloads/${UPSTREAM_NAME//-/_}-$UPSTREAM_VERSION.tar.gz

need_git() { command -v git >/dev/null || die "git is missing: $(install_hint git)"; }

# what a git hook that called us leaves in the environment
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX GIT_OBJECT_DIRECTORY

# git without the user's settings, and always with the same author and date, so that the commits are the same everywhere
tree_git() {
    local folder=$1
    shift
    env GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CEILING_DIRECTORIES="$(dirname "$folder")" \
        GIT_AUTHOR_NAME=negtemp GIT_AUTHOR_EMAIL=negtemp@localhost GIT_AUTHOR_DATE=2026-11-24T00:00:00Z \
        GIT_COMMITTER_NAME=negtemp GIT_COMMITTER_EMAIL=negtemp@localhost GIT_COMMITTER_DATE=2026-11-24T00:00:00Z \
        git -C "$folder" -c core.autocrlf=false -c core.hooksPath=/dev/null -c commit.gpgSign=false -c gc.auto=0 "$@"
}

verify_archive() {
    local found
    found=$(sha256 "$1")
    [ "$found" = "$UPSTREAM_SHA256" ] && return
    rm -f "$1"
    die "hash mismatch: $(basename "$1") has sha256 $found, not $UPSTREAM_SHA256; the file is deleted: run it again to fetch it anew"
}

fetch_archive() {
    if [ -f "$archive" ]; then
        verify_archive "$archive"
        return
    fi
    need_space "$build" 400 "fetch the sources"
    say "fetching $UPSTREAM_NAME $UPSTREAM_VERSION ($(megabytes "$UPSTREAM_SIZE") MB)"
    # pip checks the hash before it opens the archive
    printf '%s==%s --hash=sha256:%s\n' "$UPSTREAM_NAME" "$UPSTREAM_VERSION" "$UPSTREAM_SHA256" >"$work/pin.txt"
    stand_in_backend
    local log=$build/fetch.log
    reporter=report_fetch
    PYTHONPATH=$work/backend run_pip "$log" download --no-cache-dir --no-deps --no-build-isolation \
        --no-binary "$UPSTREAM_NAME" --retries 2 --dest "$work/download" --requirement "$work/pin.txt" ||
        die "cannot fetch $UPSTREAM_NAME $UPSTREAM_VERSION: $(cause_of "$log"); or put the file at $archive"
    verify_archive "$work/download/$(basename "$archive")"
    mkdir -p "$build/downloads"
    mv "$work/download/$(basename "$archive")" "$archive"
}

# pip fetches no source distribution without asking its build backend for the name. This one answers in its place, so
# that nothing is installed and nothing of the package is run to fetch one file.
stand_in_backend() {
    mkdir -p "$work/backend/scikit_build_core"
    : >"$work/backend/scikit_build_core/__init__.py"
    cat >"$work/backend/scikit_build_core/build.py" <<END
import pathlib
def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, "${UPSTREAM_NAME//-/_}-$UPSTREAM_VERSION.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: $UPSTREAM_NAME\nVersion: $UPSTREAM_VERSION\n")
    return folder.name
END
}

# The sources are two trees, each a repository in vendor/ with patches of its own; the digests cover both.
trees=(llama.cpp llama-cpp-python)

tree_of() { printf '%s\n' "${home:-$repo}/vendor/$1"; }

patches_of() { if [ "$1" = llama.cpp ]; then printf '%s\n' "$repo/patches"; else printf '%s\n' "$repo/patches/$1"; fi; }

# unpack_archive: both trees into $work/trees
unpack_archive() {
    mkdir -p "$work/trees" "$work/sources"
    tar -xzf "$archive" -C "$work/sources" --strip-components=1 2>"$work/tar.log" || die "cannot unpack $archive: $(tail -n 1 "$work/tar.log")"
    mv "$work/sources/vendor/llama.cpp" "$work/trees/llama.cpp"
    mv "$work/sources" "$work/trees/llama-cpp-python"
    # upstream's own repository, and what points into it
    rm -rf "$work/trees/llama-cpp-python/vendor" "$work"/trees/*/.git
}

need_patches() {
    local name patch
    for name in "${trees[@]}"; do
        for patch in "$(patches_of "$name")"/*.patch; do
            [ -f "$patch" ] || die "no patches in $(patches_of "$name"): restore them, for example with git checkout patches"
        done
    done
}

# names of all patches, those of the bindings with their folder
list_patches() { (cd "$repo/patches" && printf '%s\n' *.patch llama-cpp-python/*.patch); }

patches_digest() {
    local name
    { echo "$UPSTREAM_SHA256" && list_patches | while IFS= read -r name; do echo "$name $(sha256 "$repo/patches/$name")"; done; } | sha256
}

# make_tree NAME: commit the unpacked sources in $work/trees as `base` and apply every patch in name order
make_tree() {
    local folder=$work/trees/$1 patch
    tree_git "$folder" -c init.defaultBranch=patched init -q
    tree_git "$folder" add -A -f
    tree_git "$folder" commit -q -m "base: $1 of $UPSTREAM_NAME $UPSTREAM_VERSION"
    tree_git "$folder" tag base
    for patch in "$(patches_of "$1")"/*.patch; do
        tree_git "$folder" am -q --no-3way "$patch" >"$work/am.log" 2>&1 </dev/null || reject_patch "$folder" "${patch#"$repo/"}"
    done
    printf '%s %s\n' "$(patches_digest)" "$(tree_git "$folder" rev-parse HEAD)" >"$folder/.git/negtemp"
}

reject_patch() {
    tree_git "$1" am --abort >/dev/null 2>&1 || true
    rm -rf "$build/rejected"
    mv "$1" "$build/rejected"
    die "$2 does not apply to $UPSTREAM_NAME $UPSTREAM_VERSION: $(grep -m1 -E '^error:' "$work/am.log" || tail -n 1 "$work/am.log"); correct it (see patches/README.md; the tree up to there is in $build/rejected)"
}

# export_patches TREE FOLDER: one file for each commit above base
export_patches() {
    mkdir -p "$2"
    tree_git "$1" -c diff.algorithm=myers -c diff.renames=true format-patch -q --zero-commit --no-signature --no-numbered --no-stat \
        --full-index -o "$2" base..HEAD
}

# Leave the trees in vendor/ as they are if they are what patches/ give; never throw away work that is not in patches/.
ensure_trees() {
    local name stale=no
    for name in "${trees[@]}"; do
        is_current "$name" || stale=yes
    done
    [ $stale = yes ] || return 0
    unpack_patched
    for name in "${trees[@]}"; do
        keep_times "$(tree_of "$name")" "$work/trees/$name"
        rm -rf "$(tree_of "$name")"
        mv "$work/trees/$name" "$(tree_of "$name")"
    done
}

# keep_times OLD NEW: ninja compiles what is newer than its object. So a patched file that did not change keeps its time,
# and one that did, or is no longer patched and would be as old as the archive, gets the present.
keep_times() {
    local file
    if [ "$(tree_git "$1" rev-parse -q --verify base 2>/dev/null)" != "$(tree_git "$2" rev-parse base)" ]; then
        rm -rf "$build/cmake-tools"
        return
    fi
    { tree_git "$1" diff --name-only base HEAD && tree_git "$2" diff --name-only base HEAD; } | sort -u | while IFS= read -r file; do
        if cmp -s "$1/$file" "$2/$file"; then touch -r "$1/$file" "$2/$file"; else touch -c "$2/$file"; fi
    done
}

# is_current NAME: false where the tree is missing or made from other patches; an error where it holds work of its own
is_current() {
    local folder made head
    folder=$(tree_of "$1")
    [ -e "$folder" ] || return 1
    read -r made head 2>/dev/null <"$folder/.git/negtemp" || die "$folder was not made by this script: move it away and run it again"
    if [ "$(tree_git "$folder" rev-parse HEAD 2>/dev/null)" != "$head" ] || [ -n "$(tree_git "$folder" status --porcelain)" ]; then
        die "$folder holds changes that are not in patches/: commit them there and run $command --regenerate, or delete the folder"
    fi
    [ "$made" = "$(patches_digest)" ]
}

unpack_patched() {
    local name
    fetch_archive
    need_space "$build" 700 "unpack the sources"
    say "unpacking the sources and applying patches/"
    unpack_archive
    for name in "${trees[@]}"; do make_tree "$name"; done
}

check_patches() {
    local name
    unpack_patched
    for name in "${trees[@]}"; do
        export_patches "$work/trees/$name" "$work/made/$name"
        mkdir -p "$work/kept/$name"
        cp "$(patches_of "$name")"/*.patch "$work/kept/$name"
    done
    diff -r "$work/kept" "$work/made" >"$work/difference" ||
        die "patches/ do not regenerate byte for byte: $(head -n 1 "$work/difference" | sed "s|$work/||g"); apply them and run $command --regenerate"
    say "every patch applies and regenerates byte for byte"
}

regenerate_patches() {
    local name folder
    for name in "${trees[@]}"; do
        folder=$(tree_of "$name")
        tree_git "$folder" rev-parse -q --verify base >/dev/null 2>&1 || die "$folder is not a patched tree: run $command first"
        [ -z "$(tree_git "$folder" status --porcelain)" ] || die "$folder holds uncommitted changes: commit them there first, one intent a commit"
        export_patches "$folder" "$work/made/$name"
    done
    for name in "${trees[@]}"; do
        rm -f "$(patches_of "$name")"/*.patch
        mv "$work/made/$name"/*.patch "$(patches_of "$name")/"
    done
    for name in "${trees[@]}"; do
        folder=$(tree_of "$name")
        printf '%s %s\n' "$(patches_digest)" "$(tree_git "$folder" rev-parse HEAD)" >"$folder/.git/negtemp"
    done
    say "patches/ written anew from the commits in vendor/"
}
