"""What leaves the program beside its result: nothing a message quotes reaches the terminal, and a pasted command is the
same command."""

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from negtemp.cli.main import run
from negtemp.cli.messages import say, shell_command
from negtemp.printable import escape_hostile, is_hostile, printable
from negtemp.views import console

BYTES = st.binary(max_size=12) | st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass"))
ARGUMENTS = st.lists(BYTES.map(lambda data: data.replace(b"\0", b"")) | st.sampled_from(HOSTILE).map(
    lambda data: data.replace(b"\0", b"")
), min_size=1, max_size=6)  # fmt: skip


def split_by_bash(line: str, encoding: str, locale: str) -> list[bytes]:
    """The arguments that bash makes of a line of that encoding."""
    script = f"printf '%s\\0' {line}".encode(encoding)
    done = subprocess.run(["bash", "-c", script], capture_output=True, env={**os.environ, "LC_ALL": locale}, check=True)
    return done.stdout.split(b"\0")[:-1]


@settings(max_examples=60, deadline=None)
@given(ARGUMENTS, st.sampled_from([("utf-8", "C.UTF-8"), ("ascii", "C")]))
def test_a_pasted_command_has_the_bytes_that_were_typed(arguments: list[bytes], where: tuple[str, str]) -> None:
    line = shell_command(list(map(os.fsdecode, arguments)), where[0])
    assert split_by_bash(line, *where) == arguments
    assert not any(is_hostile(character) for character in line)


def test_what_a_terminal_shows_as_it_is_stays_readable() -> None:
    assert shell_command(["negtemp", "-p", "a\\b", "naïve"]) == r"negtemp -p 'a\b' 'naïve'"


@given(st.text(max_size=30))
def test_a_message_is_one_harmless_line(text: str) -> None:
    shown = escape_hostile(text)
    assert not any(is_hostile(character) for character in shown.replace("␠", "").replace("◌", ""))


@given(st.binary(max_size=30))
def test_what_is_safe_already_stays_as_it_is(data: bytes) -> None:
    shown = printable(data, keep=" ")
    assert escape_hostile(shown) == shown


@pytest.mark.parametrize("data", HOSTILE)
def test_say_prints_one_line_of_any_text(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"cannot read {os.fsdecode(data)}")
    said = capsys.readouterr().err
    assert said.startswith("negtemp: cannot read ") and said[:-1].isprintable() and said.endswith("\n")


@pytest.mark.parametrize("data", HOSTILE)
def test_a_plain_string_on_a_console_is_harmless(data: bytes) -> None:
    file = io.StringIO()
    console.stdout(file).print(data.decode("utf-8", "surrogateescape"))
    assert all(line.isprintable() for line in file.getvalue().split("\n"))


HEADER = {
    "kind": "header", "schema": 1, "negtemp": "0.1.0", "command": "audit",
    "model": {"name": "m", "description": "d", "vocabulary": 2048, "file": "m.gguf", "fingerprint": "0"},
    "engine": {}, "settings": {},
}  # fmt: skip
ESCAPE = "\x1b[31m\u202e\n"
BROKEN = {
    "schema": HEADER | {"schema": ESCAPE},
    "kind": HEADER | {"kind": ESCAPE},
    "command": HEADER | {"command": ESCAPE},
    "name": HEADER | {"model": HEADER["model"] | {"name": ESCAPE, "description": ESCAPE}},  # type: ignore[operator]
    "file": HEADER | {"model": HEADER["model"] | {"file": ESCAPE}},  # type: ignore[operator]
    "fingerprint": HEADER | {"model": HEADER["model"] | {"fingerprint": ESCAPE}},  # type: ignore[operator]
    "vocabulary": HEADER | {"model": HEADER["model"] | {"vocabulary": ESCAPE}},  # type: ignore[operator]
}


@pytest.mark.parametrize("field", BROKEN)
@pytest.mark.parametrize("command", [["show"], ["centroid", "--from"], ["repeat", "--from"]])
def test_no_field_of_a_file_reaches_the_terminal(
    field: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "records.jsonl"
    completion = {"kind": "completion", "stop": ESCAPE, "prompt": ESCAPE, "temperature": ESCAPE}
    path.write_text(f"{json.dumps(BROKEN[field])}\n{json.dumps(completion)}\n", encoding="utf-8")
    run([*command, str(tmp_path)])
    for printed in capsys.readouterr():
        assert all(line.isprintable() for line in printed.split("\n"))
