# shellcheck shell=bash disable=SC2034,SC2154  # the variables are those of build_llama.sh
# negtemp's own loops over rows of logits (negtemp/native), compiled into one file beside llama.cpp's libraries. Without
# them everything works, more slowly: so what goes wrong here is told and is no failure.

kernel_sources=$repo/negtemp/native
# in an installed package the scripts lie in the package itself
[ -d "$kernel_sources" ] || kernel_sources=$repo/../native
kernel_flags=(-std=c++17 -O3 -fPIC -fvisibility=hidden -Wall -Wextra -Wno-psabi)

install_kernel() {
    local mark current
    kernel_name=libnegtemp.so
    [ "$(uname -s)" != Darwin ] || kernel_name=libnegtemp.dylib
    kernel_folder=$("$python" -P -c 'import importlib.util as u, pathlib as p; print(p.Path(u.find_spec("llama_cpp").origin).parent / "lib")')
    mark=$kernel_folder/.negtemp-kernel
    current=$(printf '%s\n' "$stamp" "$(sha256 "$kernel_sources"/*.cpp "$kernel_sources"/*.h "$repo/scripts/build/kernel.sh")" | sha256)
    if [ "$rebuild" = no ] && [ -f "$kernel_folder/$kernel_name" ] && [ "$(cat "$mark" 2>/dev/null)" = "$current" ]; then return; fi
    reporter=''
    say "compiling the loops of negtemp/native"
    if compile_kernel "$work/$kernel_name" && put_kernel "$work/$kernel_name" "$kernel_folder"; then
        printf '%s\n' "$current" >"$mark"
    else
        say "the loops do not compile here: $(cause_of "$build/kernel.log"); negtemp works without them, more slowly"
    fi
}

# compile_kernel FILE
compile_kernel() {
    local log=$build/kernel.log objects=()
    : >"$log"
    compile_level plain || return
    if echo | "${cxx[@]}" -dM -E -x c++ - 2>/dev/null | grep __x86_64__ >/dev/null; then
        compile_level avx2 -mavx2 -mfma || return
        compile_level avx512 -mavx2 -mfma -mavx512f -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512 || return
    fi
    { link_kernel "$1" -fopenmp && loads "$1"; } || { link_kernel "$1" && loads "$1"; }
}

loads() { run_logged "$log" "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1]).negtemp_version()' "$1"; }

# compile_level NAME FLAGS...: adds to `objects`
compile_level() {
    local name=$1
    shift
    run_logged "$log" "${cxx[@]}" "${kernel_flags[@]}" -ffp-contract=fast "$@" "-DNEGTEMP_LEVEL=$name" \
        "-DNEGTEMP_NAME=\"$name\"" -c "$kernel_sources/levels.cpp" -o "$work/$name.o" || return
    objects+=("$work/$name.o")
}

# link_kernel FILE FLAGS...: threads are OpenMP's, as ggml's are; a compiler may lack it
link_kernel() {
    local file=$1
    shift
    run_logged "$log" "${cxx[@]}" "${kernel_flags[@]}" -ffp-contract=off "$@" -shared "$kernel_sources/kernel.cpp" \
        "${objects[@]}" -o "$file"
}

# put_kernel FILE FOLDER: in one step, so that a running program keeps its own
put_kernel() {
    cp "$1" "$2/.$(basename "$1").new" && mv -f "$2/.$(basename "$1").new" "$2/$(basename "$1")"
}
