# shellcheck shell=bash disable=SC2034,SC2154  # the variables are those of build_llama.sh
# What the machine offers: Python, a compiler, a backend's toolkit; and the digests that say when to build anew.

find_python() {
    if [ -z "$python" ]; then
        python=$repo/.venv/bin/python
        [ -x "$python" ] || python=python3
    fi
    local named=$python
    python=$(command -v "$named") || die "no Python at $named: install Python 3.11 or newer, or name one with --python PATH"
    case $python in /*) ;; *) python=$PWD/$python ;; esac
    local found
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) && [ -n "$found" ] || die "$named does not run as a Python: name another with --python PATH"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed: $named is $found; name another with --python PATH"
    [ "$mode" = build ] || return 0
    "$python" -c 'import os, sys, sysconfig; managed = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
sys.exit(managed and sys.prefix == sys.base_prefix)' ||
        die "$named belongs to the operating system, which lets no package in: scripts/environment.sh create makes an environment; then run it again"
    local packages
    packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    [ -w "$packages" ] || die "cannot write into $packages: run it as the one who owns that environment, or name another with --python PATH"
}

environment() { "$python" -c 'import sys; print(sys.prefix)'; }

# ggml's CPU backend once for every generation of processors, loaded from beside the other libraries
portable_flags=(-DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DCMAKE_INSTALL_BINDIR=llama_cpp/lib)

choose_backend() {
    cmake_flags=(-DLLAVA_BUILD=OFF)
    if [ "${portable-no}" = yes ]; then cmake_flags+=("${portable_flags[@]}"); else cmake_flags+=(-DGGML_NATIVE=ON); fi
    [ "${rpc-no}" = no ] || cmake_flags+=(-DGGML_RPC=ON)
    if [ "$(uname -s)" = Darwin ] && [ "$backend" = cpu ]; then
        backend=metal
        say "macOS: llama-cpp-python always builds the metal backend"
    fi
    case $backend in
        cuda) choose_cuda ;;
        metal) [ "$(uname -s)" = Darwin ] || die "backend metal needs macOS, and this is $(uname -s): choose cpu, cuda, vulkan or hip" ;;
        vulkan) choose_vulkan ;;
        hip) choose_hip ;;
    esac
}

choose_cuda() {
    local nvcc
    nvcc=$(command -v "${CUDACXX:-nvcc}" || command -v /usr/local/cuda/bin/nvcc) ||
        die "backend cuda needs nvcc of the CUDA toolkit, which is not on PATH: install it (Debian, Ubuntu: apt-get install nvidia-cuda-toolkit) or put its bin folder on PATH"
    export CUDACXX=$nvcc
    cmake_flags+=(-DGGML_CUDA=ON)
    # where the compiler links libstdc++ statically, libggml-cuda.so exported that copy, and streams of libllama.so crashed
    # in it as soon as a program had loaded another libstdc++ first
    [ "$(uname -s)" != Linux ] || cmake_flags+=("-DCMAKE_SHARED_LINKER_FLAGS=-Wl,--exclude-libs,ALL")
}

choose_vulkan() {
    local install="install it (Debian, Ubuntu: apt-get install glslc libvulkan-dev spirv-headers; elsewhere: the LunarG Vulkan SDK)"
    command -v glslc >/dev/null || die "backend vulkan needs the shader compiler glslc, which is not on PATH: $install"
    find_compiler
    has_header vulkan/vulkan.h || die "backend vulkan needs the header vulkan/vulkan.h, which the compiler does not find: $install"
    has_header spirv/unified1/spirv.hpp || die "backend vulkan needs the header spirv/unified1/spirv.hpp, which the compiler does not find: $install"
    # since Vulkan 1.3.272; Debian 12 has 1.3.239
    preprocessed vulkan/vulkan.h -dM | grep VK_EXT_layer_settings >/dev/null ||
        die "backend vulkan needs Vulkan headers of 1.3.272 or newer, and the compiler finds older ones: take Debian 13, Ubuntu 24.04 or newer, or the LunarG Vulkan SDK (VULKAN_SDK)"
    cmake_flags+=(-DGGML_VULKAN=ON)
}

# preprocessed HEADER OPTIONS...: what the compiler makes of it; fails where it finds none
preprocessed() {
    local header=$1
    shift
    echo "#include <$header>" | "${cxx[@]}" ${VULKAN_SDK:+-I"$VULKAN_SDK/include"} -E "$@" -x c++ - 2>/dev/null
}

has_header() { preprocessed "$1" >/dev/null; }

choose_hip() {
    local hipcc
    hipcc=$(command -v hipcc || command -v /opt/rocm/bin/hipcc) ||
        die "backend hip needs hipcc of AMD ROCm, which is not on PATH: install ROCm (Debian, Ubuntu: apt-get install hipcc libhipblas-dev librocblas-dev) or put its bin folder on PATH"
    local hipconfig=${hipcc%hipcc}hipconfig
    export HIPCXX=${HIPCXX:-$("$hipconfig" -l)/clang} HIP_PATH=${HIP_PATH:-$("$hipconfig" -R)}
    cmake_flags+=(-DGGML_HIP=ON)
}

# cxx: the C++ compiler as an array, since CXX may hold a launcher too; CMake is told to take the same
find_compiler() {
    local name install
    install=$(install_hint compiler)
    for name in "${CXX:-}" c++ g++ clang++; do
        read -r -a cxx <<<"$name"
        [ ${#cxx[@]} -gt 0 ] || continue
        if command -v "${cxx[0]}" >/dev/null; then break; fi
        [ "$name" != "${CXX:-}" ] || die "no C++ compiler at CXX=$name: $install"
        cxx=()
    done
    [ ${#cxx[@]} -gt 0 ] || die "no C++ compiler on PATH (looked for c++, g++, clang++): $install"
    echo 'int main() {}' | "${cxx[@]}" -x c++ -o "$work/probe" - >"$work/probe.log" 2>&1 ||
        die "the C++ compiler ${cxx[*]} does not work: $(cause_of "$work/probe.log"); $install"
    export CXX="${cxx[*]}"
    choose_ccache
    without_build_variables
    for name in "${CC:-}" cc gcc clang; do
        if [ -n "$name" ] && command -v "${name%% *}" >/dev/null; then
            export CC=$name
            return
        fi
    done
    die "no C compiler on PATH (looked for cc, gcc, clang): $install"
}

# cache_flag: llama.cpp compiles through any ccache that CMake finds, off PATH too, and fails where that does not work
choose_ccache() {
    local name
    cache_flag=-DGGML_CCACHE=OFF
    echo 'int main() {}' >"$work/probe.cpp"
    for name in ccache sccache; do
        command -v "$name" >/dev/null || continue
        if "$name" "${cxx[@]}" -c "$work/probe.cpp" -o "$work/probe.o" >"$work/probe.log" 2>&1; then
            cache_flag=-DGGML_CCACHE=ON
        else
            say "$name does not work here, so nothing is compiled through it: $(tail -n 1 "$work/probe.log")"
        fi
        return 0
    done
}

# What a shell may export for other builds, and CMake, ninja or scikit-build-core would obey: another generator, folder,
# build type or status line. Compilers, flags and search paths are passed on.
without_build_variables() {
    local name
    for name in $(compgen -e || true); do
        case $name in
            CMAKE_GENERATOR* | CMAKE_BUILD_* | CMAKE_CONFIG* | CMAKE_INSTALL_* | CMAKE_COLOR_DIAGNOSTICS | SKBUILD* | NINJA* | DESTDIR | \
                MAKEFLAGS | CLICOLOR_FORCE) unset "$name" ;;
        esac
    done
}

# What the compiler says of this processor; nothing where it does not compile for it.
native_macros() {
    local native=-march=native
    case $flags in *-DGGML_NATIVE=OFF*) return ;; esac
    [ "$(uname -sm)" != "Darwin arm64" ] || native=-mcpu=native
    "${cxx[@]}" "$native" -dM -E -x c++ /dev/null 2>/dev/null || true
}

# The digest says what is built, the stamp adds on and with what: ggml compiles for the very processor it is built on.
compute_digests() {
    flags="${cmake_flags[*]}${CMAKE_ARGS:+ $CMAKE_ARGS}"
    digest=$(printf '%s\n' "$(patches_digest)" "$flags" | sha256)
    wheel_version=$UPSTREAM_VERSION+negtemp.${digest:0:8}
    compiler=$("${cxx[@]}" --version | head -n 1)
    stamp=$({
        printf '%s\n' "$digest" "$backend" "$(uname -sm)" "$CXX" "$compiler" "$CC" "${CFLAGS-}" "${CXXFLAGS-}" "${LDFLAGS-}"
        [ -z "${CUDACXX-}" ] || "$CUDACXX" --version
        [ -z "${HIPCXX-}" ] || "$HIPCXX" --version
        native_macros
        "$python" -c 'import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())'
    } | sha256)
    wheel_folder=$build/wheels/$stamp
}
