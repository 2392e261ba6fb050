"""`negtemp build`: a wheel that carries the build, environments of any make, a wheel of the library to take along."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import add_to_wheel
import instructions
import pytest
from build_parts import ROOT, run_parts
from test_cli import NEGTEMP, assert_one_line, call

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """negtemp's own wheel, of what is here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= 4 * MEGABYTE


def test_a_wheel_asks_for_no_llama_cpp(wheel: Path) -> None:
    """pip would compile the stock one before `negtemp build` could."""
    with zipfile.ZipFile(wheel) as file:
        metadata = next(name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        required = [line for line in file.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")]
    assert required and not [line for line in required if "llama" in line]


def test_the_build_in_a_wheel_is_whole(wheel: Path, tmp_path: Path) -> None:
    """Its patches apply to the pinned sources and regenerate, in a folder that is not the package's."""
    archive = ROOT / "build" / "downloads"
    if not archive.exists():
        pytest.skip("the pinned sources are not here; scripts/build_llama.sh fetches them")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "installed")
    home = tmp_path / "home"
    shutil.copytree(archive, home / "build" / "downloads")
    script = tmp_path / "installed" / "negtemp" / "builder" / "scripts" / "build_llama.sh"
    environment = os.environ | {"NEGTEMP_BUILD_FOLDER": str(home), "NEGTEMP_BUILD_COMMAND": "negtemp build"}
    done = subprocess.run(
        ["bash", script, "--check", "--python", sys.executable], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("negtemp build: ") and "byte for byte" in done.stderr
    sources = tmp_path / "installed" / "negtemp" / "native"
    assert {path.name for path in sources.iterdir()} == {"kernel.cpp", "level.h", "levels.cpp"}


def test_in_a_clone_it_builds_there_and_sees_what_is_done() -> None:
    done = call("build")
    assert done.returncode == 0, done.stderr
    assert str(ROOT) in done.stderr and "up to date" in done.stderr


def test_wrong_usage_is_the_scripts_own_status() -> None:
    done = call("build", "--backend", "steam")
    assert done.returncode == 2
    assert "unknown backend: steam" in done.stderr


def test_without_bash_it_is_one_line(tmp_path: Path) -> None:
    done = call("build", environment={"PATH": str(tmp_path)})
    assert_one_line(done, 5)
    assert "bash" in done.stderr


def other_build(folder: Path) -> dict[str, str]:
    """An environment in which somebody else's llama-cpp-python comes first."""
    facts = folder / "llama_cpp_python-0.3.36.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.3.36\n")
    return {"PYTHONPATH": str(folder)}


def test_another_llama_cpp_python_is_replaced_only_when_that_is_said(tmp_path: Path) -> None:
    environment = other_build(tmp_path)
    done = call("build", environment=environment)
    assert_one_line(done, 2)
    assert "0.3.36" in done.stderr and "--replace" in done.stderr
    # past the question; the script then sees the wrong value
    assert "unknown backend" in call("build", "--replace", "--backend", "steam", environment=environment).stderr


@pytest.mark.parametrize("receipt", ["uv-receipt.toml", "pipx_metadata.json"])
def test_an_environment_of_this_program_alone_needs_no_asking(tmp_path: Path, receipt: str) -> None:
    (tmp_path / receipt).touch()
    code = (
        f"import sys; sys.prefix = {str(tmp_path)!r}; sys.argv = ['negtemp', 'build', '--backend', 'steam']\n"
        "from negtemp.cli.main import main; main()"
    )
    environment = os.environ | other_build(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "unknown backend" in done.stderr


def test_an_environment_without_pip_is_served_from_one_that_has(tmp_path: Path) -> None:
    """As uv makes them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    asked = 'run_pip "$build/log" list --format=freeze; cat "$build/log"; echo "${pip_command[*]}"'
    done = run_parts(tmp_path, asked, settings={"python": python})
    assert done.returncode == 0, done.stderr
    # no package is in it: the first line is the command already
    assert done.stdout.startswith("env ") and f"{tmp_path}/build/pip-environment/bin/python -m pip" in done.stdout
    assert done.stdout.endswith(f"--python {python}\n")
    assert done.stderr.count("\n") == 1 and "has no pip" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_environment_of_somebody_else_is_told_before_anything_is_compiled(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "theirs"], check=True)
    packages = next((tmp_path / "theirs" / "lib").glob("python*/site-packages"))
    packages.chmod(0o555)
    settings = {"python": str(tmp_path / "theirs" / "bin" / "python"), "mode": "build"}
    done = run_parts(tmp_path, "find_python", settings=settings)
    assert done.returncode == 1
    assert "cannot write into" in done.stderr and "--python" in done.stderr


def test_portable_asks_for_every_processor_and_tools_for_none_of_it(tmp_path: Path) -> None:
    asked = 'mode=build; choose_backend; printf "%s\\n" "${cmake_flags[@]}"'
    portable = run_parts(tmp_path, asked, settings={"backend": "cpu", "portable": "yes"}).stdout.split()
    native = run_parts(tmp_path, asked, settings={"backend": "cpu", "portable": "no"}).stdout.split()
    assert {"-DGGML_NATIVE=OFF", "-DGGML_CPU_ALL_VARIANTS=ON"} <= set(portable)
    assert "-DGGML_NATIVE=ON" in native and "-DGGML_CPU_ALL_VARIANTS=ON" not in native


def test_a_build_notes_the_instructions_that_compiler_and_system_name() -> None:
    """AMX is not among them: ggml asks for it at run time."""
    macros = "".join(f"#define __{name}__ 1\n" for name in ("AVX512VNNI", "SSE4_2", "FMA", "AMX_INT8", "PKU", "BMI2"))
    flags = {"avx512_vnni", "sse4_2", "fma", "amx_int8", "pku", "flags", ":"}
    assert instructions.instructions(macros + "#define __AVX__ 2\n", flags) == ["avx512vnni", "fma", "sse42"]


def test_a_portable_build_notes_none(tmp_path: Path) -> None:
    asked = "mode=build; choose_backend; find_compiler; compute_digests; native_macros | wc -c"
    counted = [
        run_parts(tmp_path, asked, settings={"backend": "cpu", "portable": portable}) for portable in ("yes", "no")
    ]
    assert [int(done.stdout) > 0 for done in counted] == [False, True], [done.stderr for done in counted]


def test_a_file_in_a_wheel_is_in_its_record(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("a.py", "x = 1\n")
        file.writestr("a-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: a\nVersion: 1\n")
        file.writestr("a-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("a-1.dist-info/RECORD", "a.py,,\n")
    (tmp_path / "kernel.so").write_bytes(b"\x7fELF")
    add_to_wheel.add(wheel, "a_lib", [tmp_path / "kernel.so", tmp_path / "missing"])
    with zipfile.ZipFile(wheel) as file:
        lines = file.read("a-1.dist-info/RECORD").decode().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"\x7fELF").digest()).decode().rstrip("=")
    assert lines == ["a.py,,", f"a_lib/kernel.so,sha256={digest},4"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--target", tmp_path / "there", wheel], check=True
    )
    assert (tmp_path / "there" / "a_lib" / "kernel.so").read_bytes() == b"\x7fELF"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [("negtemp spec", "spectrum"), ("negtemp run --te", "--temp"), ("negtemp build --port", "--portable")],
)
def test_bash_completes_commands_and_options(words: str, expected: str) -> None:
    script = subprocess.run(
        [NEGTEMP], env=os.environ | {"_NEGTEMP_COMPLETE": "source_bash"}, capture_output=True, text=True, check=True
    ).stdout
    asked = (
        f'COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _negtemp_completion "{NEGTEMP}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, check=True)
    assert expected in done.stdout.splitlines()
