# shellcheck shell=bash disable=SC2034,SC2154  # the variables are those of build_llama.sh
# llama.cpp's own programs, compiled from the patched tree and put beside the environment's Python; and upstream's tests
# of what the patches change, in build/tests. Linked statically, so that each runs from wherever it lies.

tools=(llama-completion llama-cli llama-server llama-bench llama-batched-bench llama-quantize)
upstream_tests=(test-sampling test-backend-sampler)
# for a check that needs one of them alone
[ -z "${NEGTEMP_TOOLS-}" ] || { read -r -a tools <<<"$NEGTEMP_TOOLS" && upstream_tests=(); }

# no web interface, which the build would download, and no TLS, which needs a library
tool_flags=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON
    -DLLAMA_BUILD_SERVER=ON -DLLAMA_BUILD_TESTS=ON)

# cmake and ninja: those on PATH, or PyPI's in an environment of their own
find_cmake() {
    cmake=$(command -v cmake || true) ninja=$(command -v ninja || true)
    if [ -n "$cmake" ] && [ -n "$ninja" ]; then return; fi
    local folder=$build/cmake-environment
    if [ ! -x "$folder/bin/cmake" ] || [ ! -x "$folder/bin/ninja" ]; then
        say "fetching cmake and ninja"
        reporter=''
        if ! run_logged "$build/cmake.log" "$python" -m venv --without-pip "$folder" ||
            ! run_pip "$build/cmake.log" --python "$folder/bin/python" install cmake ninja; then
            die "--tools needs cmake and ninja, and pip cannot fetch them: $(cause_of "$build/cmake.log"); or install both: $(install_hint cmake)"
        fi
    fi
    cmake=$folder/bin/cmake ninja=$folder/bin/ninja
    # Vulkan's shaders are a project within the project, which looks for ninja on PATH
    PATH=$PATH:$folder/bin
}

build_tools() {
    local bin stamp_file tool
    [ "${rpc-no}" = no ] || [ -n "${NEGTEMP_TOOLS-}" ] || tools+=(ggml-rpc-server)
    bin=$(dirname "$python")
    stamp_file=$bin/.negtemp-tools
    if tools_are_current; then
        say "up to date: ${tools[*]} in $bin"
        return
    fi
    need_space "$build" 1500 "compile the tools"
    compile_tools
    rm -f "$stamp_file"
    mkdir -p "$build/tests"
    for tool in "${tools[@]}"; do put_executable "$tool" "$bin"; done
    for tool in "${upstream_tests[@]}"; do put_executable "$tool" "$build/tests"; done
    printf '%s\n' "$stamp" >"$stamp_file"
    say "done: ${tools[*]} in $bin"
}

tools_are_current() {
    local tool bin
    bin=$(dirname "$python")
    [ "$rebuild" = no ] && [ "$(cat "$bin/.negtemp-tools" 2>/dev/null)" = "$stamp" ] || return 1
    for tool in "${tools[@]}"; do [ -x "$bin/$tool" ] || return 1; done
    for tool in "${upstream_tests[@]}"; do [ -x "$build/tests/$tool" ] || return 1; done
}

compile_tools() {
    local log=$build/tools.log folder=$build/cmake-tools count=${jobs:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
    local -a flag_list
    read -r -a flag_list <<<"$flags"
    # linked statically, a tool cannot choose when it runs
    [ "${portable-no}" = no ] || flag_list+=(-DGGML_BACKEND_DL=OFF -DGGML_CPU_ALL_VARIANTS=OFF)
    [ "$rebuild" = no ] || rm -rf "$folder"
    # or it would remember the options of another backend
    rm -f "$folder/CMakeCache.txt"
    say "compiling ${tools[*]} for $backend, $count at a time (log: $log)"
    reporter=report_compile
    if ! run_logged "$log" "$cmake" -S "$(tree_of llama.cpp)" -B "$folder" -G Ninja -DCMAKE_MAKE_PROGRAM="$ninja" \
        "${tool_flags[@]}" "$cache_flag" "${flag_list[@]}" ||
        ! run_logged "$log" "$cmake" --build "$folder" --parallel "$count" --target "${tools[@]}" "${upstream_tests[@]}"; then
        die "compiling the tools failed: $(cause_of "$log")"
    fi
}

# put_executable NAME FOLDER: in one step, so that a running server keeps its own file
put_executable() {
    cp "$build/cmake-tools/bin/$1" "$2/.$1.new"
    mv -f "$2/.$1.new" "$2/$1"
}
