# shellcheck shell=bash disable=SC2154  # the variables are those of build_llama.sh
# From the pinned source distribution to a patched tree: fetch, verify, unpack, commit, apply; and back to patches.
# The tree is a git repository of its own: in an ignored folder of ours, `git apply` skips a patch and exits 0.

archive=$build/downloads/${UPSTREAM_NAME//-/_}-$UPSTREAM_VERSION.tar.gz

need_git() { command -v git >/dev/null || die "git is missing: install it (Debian, Ubuntu: apt-get install git; macOS: xcode-select --install)"; }

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
    say "fetching $UPSTREAM_NAME $UPSTREAM_VERSION (77 MB)"
    # pip checks the hash before it runs anything from the archive
    printf '%s==%s --hash=sha256:%s\n' "$UPSTREAM_NAME" "$UPSTREAM_VERSION" "$UPSTREAM_SHA256" >"$work/pin.txt"
    local log=$build/fetch.log
    if ! run_logged "$log" "$python" -m pip --disable-pip-version-check download --no-cache-dir --no-deps \
        --no-binary :all: --retries 2 --dest "$work/download" --requirement "$work/pin.txt"; then
        grep -q 'DO NOT MATCH THE HASHES' "$log" && die "hash mismatch: $(grep -m1 -A1 'Expected sha256' "$log" | tr -s ' \n' ' ')- the download is refused and deleted; see $log"
        log_says_no_space "$log" && die "no disk space left while fetching the sources: free some and run it again; see $log"
        log_says_no_network "$log" && die "cannot fetch $UPSTREAM_NAME $UPSTREAM_VERSION: pip reaches no package index; check the network, or put the file at $archive"
        die "cannot fetch $UPSTREAM_NAME $UPSTREAM_VERSION: $(tail -n 1 "$log"); see $log"
    fi
    verify_archive "$work/download/$(basename "$archive")"
    mkdir -p "$build/downloads"
    mv "$work/download/$(basename "$archive")" "$archive"
}

# unpack_archive FOLDER: the bindings there, llama.cpp in vendor/llama.cpp below
unpack_archive() {
    mkdir -p "$1"
    tar -xzf "$archive" -C "$1" --strip-components=1 2>"$work/tar.log" || die "cannot unpack $archive: $(tail -n 1 "$work/tar.log")"
    # a submodule pointer to a repository that is not there
    rm -f "$1/vendor/llama.cpp/.git"
}

need_patches() {
    local patch
    for patch in "$repo"/patches/*.patch; do
        if [ -f "$patch" ]; then return; fi
    done
    die "no patches in $repo/patches: restore them, for example with git checkout patches"
}

list_patches() { (cd "$repo/patches" && printf '%s\n' *.patch); }

patches_digest() {
    local name
    { echo "$UPSTREAM_SHA256" && list_patches | while IFS= read -r name; do echo "$name $(sha256 "$repo/patches/$name")"; done; } | sha256
}

# make_tree FOLDER: commit the unpacked sources there as `base` and apply every patch in name order
make_tree() {
    local name
    tree_git "$1" -c init.defaultBranch=patched init -q
    tree_git "$1" add -A -f
    tree_git "$1" commit -q -m "base: llama.cpp of $UPSTREAM_NAME $UPSTREAM_VERSION"
    tree_git "$1" tag base
    list_patches | while IFS= read -r name; do
        tree_git "$1" am -q --no-3way "$repo/patches/$name" >"$work/am.log" 2>&1 </dev/null || reject_patch "$1" "$name"
    done
}

reject_patch() {
    tree_git "$1" am --abort >/dev/null 2>&1 || true
    rm -rf "$build/rejected"
    mv "$1" "$build/rejected"
    die "patches/$2 does not apply to $UPSTREAM_NAME $UPSTREAM_VERSION: $(grep -m1 -E '^error:' "$work/am.log" || tail -n 1 "$work/am.log"); correct it (see patches/README.md; the tree up to there is in $build/rejected)"
}

# export_patches TREE FOLDER: one file for each commit above base
export_patches() {
    tree_git "$1" -c diff.algorithm=myers -c diff.renames=true format-patch -q --zero-commit --no-signature --no-numbered --no-stat \
        --full-index -o "$2" base..HEAD
}

tree_head() { tree_git "$tree" rev-parse HEAD 2>/dev/null; }

record_tree() { printf '%s %s\n' "$(patches_digest)" "$(tree_git "$1" rev-parse HEAD)" >"$1/.git/negtemp"; }

# Leave vendor/llama.cpp as it is if it is what patches/ give; never throw away work that is not in patches/.
ensure_tree() {
    if [ -e "$tree" ]; then
        local made head
        read -r made head 2>/dev/null <"$tree/.git/negtemp" || die "$tree was not made by this script: move it away and run it again"
        if [ "$(tree_head)" != "$head" ] || [ -n "$(tree_git "$tree" status --porcelain)" ]; then
            die "$tree holds changes that are not in patches/: commit them there and run $0 --regenerate, or delete the folder"
        fi
        [ "$made" != "$(patches_digest)" ] || return 0
    fi
    unpack_patched
    rm -rf "$tree"
    mv "$work/sources/vendor/llama.cpp" "$tree"
}

unpack_patched() {
    fetch_archive
    need_space "$build" 700 "unpack the sources"
    say "unpacking llama.cpp and applying patches/"
    unpack_archive "$work/sources"
    make_tree "$work/sources/vendor/llama.cpp"
    record_tree "$work/sources/vendor/llama.cpp"
}

check_patches() {
    unpack_patched
    mkdir -p "$work/patches" "$work/expected"
    export_patches "$work/sources/vendor/llama.cpp" "$work/patches"
    cp "$repo"/patches/*.patch "$work/expected"
    diff -r "$work/expected" "$work/patches" >"$work/difference" ||
        die "patches/ do not regenerate byte for byte: $(head -n 1 "$work/difference" | sed "s|$work/||g"); apply them and run $0 --regenerate"
    say "every patch applies and regenerates byte for byte"
}

regenerate_patches() {
    tree_git "$tree" rev-parse -q --verify base >/dev/null 2>&1 || die "$tree is not a patched tree: run $0 first"
    [ -z "$(tree_git "$tree" status --porcelain)" ] || die "$tree holds uncommitted changes: commit them there first, one intent a commit"
    mkdir -p "$work/patches"
    export_patches "$tree" "$work/patches"
    rm -f "$repo"/patches/*.patch
    mv "$work"/patches/*.patch "$repo/patches/"
    record_tree "$tree"
    say "patches/ written anew from $tree"
}
