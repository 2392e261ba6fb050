# shellcheck shell=bash disable=SC2034,SC2154  # the variables are those of build_llama.sh
# From the patched tree to an installed wheel: bindings, compile, install, proof.

# The bindings around vendor/llama.cpp, with our version and a manifest; without `common`, which they never load.
prepare_bindings() {
    local bindings=$1
    cp -R "$(tree_of llama-cpp-python)" "$bindings"
    rm -rf "$bindings/.git"
    mkdir "$bindings/vendor"
    ln -s "$(tree_of llama.cpp)" "$bindings/vendor/llama.cpp"
    replace_once "$bindings/CMakeLists.txt" 'set(LLAMA_BUILD_COMMON ON ' 'set(LLAMA_BUILD_COMMON OFF '
    replace_once "$bindings/llama_cpp/__init__.py" "__version__ = \"$UPSTREAM_VERSION\"" "__version__ = \"$wheel_version\""
    [ "${portable-no}" = no ] || load_variants "$bindings/llama_cpp/__init__.py"
    write_manifest "$bindings/llama_cpp/negtemp_build.json"
}

# load_variants FILE: the bindings load no backend that is a file of its own; the one that suits this processor best is then
load_variants() {
    cat >>"$1" <<'EOF'

import os.path as _path
from . import _logger
from .llama_cpp import _lib as _libllama
_logger.set_verbose(False)
# through libllama, whose registry of backends it is: _ggml may hold a second copy of libggml
_libllama.ggml_backend_load_all_from_path(_path.join(_path.dirname(__file__), "lib").encode())
_logger.logger.setLevel(0)
EOF
}

replace_once() {
    "$python" - "$@" <<'EOF' || die "$(basename "$1") of $UPSTREAM_NAME $UPSTREAM_VERSION is not what this script expects: '$2' is not there once"
import pathlib, sys
path, old, new = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
text = path.read_text(encoding="utf-8")
if text.count(old) != 1:
    sys.exit(1)
path.write_text(text.replace(old, new), encoding="utf-8")
EOF
}

write_manifest() {
    list_patches | "$python" -c '
import json, shlex, sys
path, version, sha256, backend, flags, compiler, digest, stamp, instructions = sys.argv[1:]
manifest = {"llama_cpp_python": version, "upstream_sha256": sha256, "patches": sys.stdin.read().splitlines(),
            "backend": backend, "flags": shlex.split(flags), "compiler": compiler, "digest": digest, "stamp": stamp,
            "instructions": json.loads(instructions)}
with open(path, "w", encoding="utf-8") as file:
    json.dump(manifest, file, indent=1)
' "$1" "$wheel_version" "$UPSTREAM_SHA256" "$backend" "$flags" "$compiler" "$digest" "$stamp" \
        "$(native_macros | "$python" "$repo/scripts/build/instructions.py")"
}

build_wheel() {
    local log=$build/build.log count=${jobs:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
    need_space "$build" 1500 "compile"
    prepare_bindings "$work/bindings"
    say "compiling $wheel_version for $backend, $count at a time (log: $log)"
    reporter=report_compile
    # pip may not take a wheel from its cache: it knows nothing of patches and flags
    CMAKE_ARGS="$cache_flag $flags" CMAKE_BUILD_PARALLEL_LEVEL=$count \
        run_pip "$log" wheel -v --no-cache-dir --no-deps --wheel-dir "$work/wheel" \
        --config-settings=build-dir="$work/cmake" --config-settings=ninja.make-fallback=false \
        --config-settings="wheel.exclude=/lib;/include" "$work/bindings" ||
        die "compiling failed: $(cause_of "$log")"
    rm -rf "$wheel_folder"
    mkdir -p "$wheel_folder"
    mv "$work"/wheel/*.whl "$wheel_folder/"
}

# what the build consists of; one that is done already writes it too, since packages beside it may have changed
write_bill() {
    printf '%s=%s\n' version "$wheel_version" upstream "$UPSTREAM_VERSION" sha256 "$UPSTREAM_SHA256" backend "$backend" \
        flags "$flags" compiler "$compiler" | "$python" "$repo/scripts/build/sbom.py" "$build/sbom.cdx.json" "$repo/patches"
}

# keep_wheel: a copy that holds the kernel too, which is otherwise compiled where the wheel is installed
keep_wheel() {
    local wheel kept
    wheel=$(find_wheel)
    [ -n "$wheel" ] || die "the wheel is no longer in $wheel_folder: run $command --rebuild"
    make_folders "$wheel_wanted"
    cp "$wheel" "$work/$(basename "$wheel")"
    "$python" "$repo/scripts/build/add_to_wheel.py" "$work/$(basename "$wheel")" llama_cpp/lib \
        "$kernel_folder/$kernel_name" "$kernel_folder/.negtemp-kernel"
    kept=$wheel_wanted/$(basename "$wheel")
    mv -f "$work/$(basename "$wheel")" "$kept"
    say "kept: $kept"
}

find_wheel() { find "$wheel_folder" -name "*.whl" 2>/dev/null; }

install_wheel() {
    local log=$build/install.log wheel
    wheel=$(find_wheel)
    say "installing $(basename "$wheel")"
    reporter=''
    # the first call replaces whatever is installed, the second brings in what it depends on
    if ! run_pip "$log" install --no-cache-dir --force-reinstall --no-deps "$wheel" ||
        ! run_pip "$log" install --retries 2 "$wheel"; then
        die "installing failed: $(cause_of "$log")"
    fi
}

# Exit status 0 if the environment holds exactly this build, and its sampler inverts at T = -1 with a mask left alone.
prove_installed() {
    env -u LLAMA_CPP_LIB_PATH "$python" -P - "$wheel_version" "$stamp" <<'EOF'
import importlib.metadata, json, pathlib, sys
version, stamp = sys.argv[1:]
try:
    installed = importlib.metadata.version("llama_cpp_python")
except importlib.metadata.PackageNotFoundError:
    sys.exit("llama-cpp-python is not installed")
if installed != version:
    sys.exit(f"llama-cpp-python {installed} is installed, not {version}")
from llama_cpp import llama_cpp as C
manifest = pathlib.Path(C.__file__).with_name("negtemp_build.json")
if not manifest.exists() or json.loads(manifest.read_text(encoding="utf-8"))["stamp"] != stamp:
    sys.exit(f"{manifest.parent} is not this build")
logits = (C.llama_token_data * 4)(*[(i, z, 0.0) for i, z in enumerate((3.0, 1.0, 2.0, float("-inf")))])
array = C.llama_token_data_array(data=logits, size=4, selected=-1, sorted=False)
sampler = C.llama_sampler_init_temp(-1.0)
C.llama_sampler_apply(sampler, array)
C.llama_sampler_free(sampler)
found = {item.id: item.logit for item in logits}
if found != {0: -2.0, 1: 0.0, 2: -1.0, 3: float("-inf")}:
    sys.exit(f"the temperature sampler is not patched: at T = -1 the logits 3, 1, 2, -inf became {found}")
EOF
}
