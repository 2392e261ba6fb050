"""What the build says: the cause of a failure in one line, and how far a long step has come."""

from pathlib import Path

import cause
import pip_settings
import pytest
from build_parts import run_parts

# as pip 23 to 26, gcc 12, clang 14, CMake 3.25 and ninja 1.11 write them
RETRY = "WARNING: Retrying (Retry(total=1, connect=None)) after connection broken by '{}': /simple/scikit-build-core/\n"
UNTRUSTED = (
    "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "self-signed certificate in certificate chain (_ssl.c:1006)'))"
)
UNRESOLVED = (
    "NewConnectionError('<pip._vendor Connection object at 0x7f>: Failed to establish a new connection: "
    "[Errno -3] Temporary failure in name resolution')"
)
PROXY = "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))"
NONE = "ERROR: No matching distribution found for it\n"
COMPILE = (
    "  [7/83] /usr/bin/c++ -O3 -c ggml.cpp\n  FAILED: ggml.cpp.o\n"
    "  /tmp/vendor/ggml.cpp:12:10: {}\n  compilation terminated.\n  ninja: build stopped: subcommand failed.\n"
    "  error: subprocess-exited-with-error\n  × Building wheel for llama_cpp_python (pyproject.toml) did not run "
    "successfully.\n  note: This error originates from a subprocess, and is likely not a problem with pip.\n"
    "  ERROR: Failed building wheel for llama_cpp_python\nERROR: Failed to build one or more wheels\n"
)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (RETRY.format(UNTRUSTED) + NONE,
         "certificate verify failed: self-signed certificate in certificate chain; name the certificates"),
        (RETRY.format(UNRESOLVED) + NONE, "Temporary failure in name resolution; pip reaches no package index"),
        (RETRY.format(PROXY), "Tunnel connection failed: 407 Proxy Authentication Required; check the proxy"),
        ("ERROR: HTTP error 403 while getting\nERROR: 403 Client Error: Forbidden for url: https://me:secret@index/simple/\n",
         "403 Client Error: Forbidden for url: https://****@index/simple/; check the index"),
        (COMPILE.format("fatal error: omp.h: No such file or directory"),
         "/tmp/vendor/ggml.cpp:12:10: fatal error: omp.h: No such file or directory"),
        (RETRY.format(UNRESOLVED) + COMPILE.format("error: x"), "/tmp/vendor/ggml.cpp:12:10: error: x"),
        (COMPILE.format("error: writing: No space left on device"), "No space left on device; free some disk space"),
        ("  c++: fatal error: Killed signal terminated program cc1plus\n" + COMPILE.format("error: x"),
         "c++: fatal error: Killed signal terminated program cc1plus; most likely too little memory"),
        ("CMake Error at CMakeLists.txt:3 (project):\n  No CMAKE_CXX_COMPILER could be found.\n\n  Tell CMake where\n",
         "CMake Error at CMakeLists.txt:3 (project): No CMAKE_CXX_COMPILER could be found."),
        ("FAILED: a.o\nccache: error: failed to create directory /nowhere: Permission denied\nninja: build stopped\n",
         "ccache: error: failed to create directory /nowhere: Permission denied; "
         "run it again with CMAKE_ARGS=-DGGML_CCACHE=OFF"),
        ("FAILED: [code=127] a.o\nccache /usr/bin/clang -c a.c\n/bin/sh: 1: ccache: not found\nninja: build stopped\n",
         "ccache: not found; install it, or put it on PATH"),
        ("/usr/bin/ld: cannot find -lgomp: No such file or directory\ncollect2: error: ld returned 1 exit status\n",
         "/usr/bin/ld: cannot find -lgomp: No such file or directory"),
        ("ERROR: Cannot install llama-cpp-python because these package versions have conflicting dependencies.\n\n"
         "The conflict is caused by:\n    The user requested llama-cpp-python 0.3.36\n"
         "    The user requested (constraint) llama-cpp-python==0.2.90\n",
         "(constraint) llama-cpp-python==0.2.90; lift that constraint"),
        ("ERROR: Could not find a version that satisfies the requirement hatchling>=1 (from versions: 0.1)\n" + NONE,
         "Could not find a version that satisfies the requirement hatchling>=1; check the index"),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/srv/.venv/bin'\n",
         "[Errno 13] Permission denied: '/srv/.venv/bin'"),
        ("\x1b[31mERROR: Exception:\x1b[0m\nTraceback\n  x\nValueError: bad\x07 thing\n", "ValueError: bad thing"),
        ("something\nelse\n\n", "else"),
        ("", "it wrote nothing"),
    ],
)  # fmt: skip
def test_the_cause_is_the_line_that_explains_the_others(log: str, said: str) -> None:
    found = cause.cause(log)
    assert found.startswith(said)
    assert found.isprintable()


def test_a_cause_is_no_longer_than_a_few_lines_of_a_terminal() -> None:
    assert len(cause.cause("ValueError: " + "x" * 5000)) <= cause.LONGEST


def test_pip_keeps_where_packages_come_from_and_drops_where_they_go() -> None:
    listing = (
        "For variant 'global', will try loading '/etc/pip.conf'\nglobal.index-url='https://a/simple'\n"
        "install.index-url='https://b/simple'\n:env:.cert='/ca.pem'\nglobal.cert='/other.pem'\nglobal.target='/t'\n"
        "global.extra-index-url='https://c\\nhttps://d'\nglobal.no-binary=':all:'\ninstall.user='true'\n"
    )
    assert pip_settings.settings(listing) == {
        "PIP_INDEX_URL": "https://b/simple", "PIP_CERT": "/ca.pem", "PIP_EXTRA_INDEX_URL": "https://c\nhttps://d",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("log", "state"),
    [
        ("  Installing build dependencies: started\n", "fetching the build tools"),
        ("  *** Configuring CMake...\n", "configuring"),
        ("  *** Configuring CMake...\n  [1/83] /usr/bin/c++ [2/9]\n", "compiling: 1 %"),
        ("  [41/82] /usr/bin/c++\n", "compiling: 50 %, about 20 s left"),
        ("  [83/83] : && /usr/bin/c++\n", "packing what was compiled"),
        ("  [12/83] /usr/bin/c++\n  [0/2] Re-checking globbed directories...\n", "compiling: 0 %, about 40 s left"),
    ],
)
def test_a_compilation_says_how_far_it_is(tmp_path: Path, log: str, state: str) -> None:
    (tmp_path / "log").write_text(log)
    # 20 seconds in, and it stays so
    done = run_parts(
        tmp_path, f'unset SECONDS; compiling_since=0 SECONDS=20; report_compile "{tmp_path}/log"; echo "$state"'
    )
    assert done.stdout == state + "\n"


def test_a_long_step_shows_its_state_and_verbose_shows_its_output(tmp_path: Path) -> None:
    step = 'report() { state="half"; }; reporter=report; SECONDS=60; run_logged "$build/log" sh -c "sleep 1; echo all"'
    assert run_parts(tmp_path, step).stderr.endswith("half\n")
    assert run_parts(tmp_path, "verbose=yes; " + step).stderr == "all\n"
    assert (tmp_path / "build" / "log").read_text() == "all\n"


@pytest.mark.parametrize(
    ("family", "hint"),
    [
        ("debian", "sudo apt-get install python3-venv"), ("fedora", "sudo dnf install python3"),
        ("macos", "brew install python"), ("arch", "sudo pacman -S python"),
        ("other", "install venv with this system's package manager"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_as_the_system_names_it(tmp_path: Path, family: str, hint: str) -> None:
    done = run_parts(tmp_path, f"system_family() {{ echo {family}; }}; install_hint venv")
    assert done.stdout == hint + "\n"
