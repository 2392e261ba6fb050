"""What reaches a terminal or a pipe when every token is hostile: nothing raw, and markup as it stands."""

import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from models import spm_vocabulary, write_llama

from negtemp.printable import DOTTED_CIRCLE, SPACE_MARK, is_hostile
from negtemp.theory.temperature import Temperature
from negtemp.views import console

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
STYLE = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = (["run"], ["compare", "--betas", "0,0"], ["compare", "--betas", "0,0", "--tokens"])


def arguments(command: list[str], model: Path, prompt: str = "a") -> list[str]:
    """A uniform draw over the hostile vocabulary: at beta = 0 every piece comes up."""
    beta = ["--beta", "0"] if command[0] == "run" else []
    return [NEGTEMP, *command, *beta, "-m", str(model), "-p", prompt, "-n", "200", "-s", "3", "--ignore-eos",
            "--mask", "byte"]  # fmt: skip


def piped(command: list[str]) -> str:
    """Standard output and standard error in a pipe; both must be valid UTF-8."""
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return (done.stdout + done.stderr).decode("utf-8")


def on_a_terminal(command: list[str]) -> str:
    """What a pseudo-terminal receives, with the terminal's own line ends undone."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        received = b""
        while piece := _read(ours):
            received += piece
    os.close(ours)
    assert process.returncode == 0
    return received.decode("utf-8").replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


def raw(text: str) -> set[str]:
    """Characters that no view may let through, less the two marks that `printable` writes itself."""
    return {
        character for character in text if character not in "\n" + SPACE_MARK + DOTTED_CIRCLE and is_hostile(character)
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_pipe_gets_nothing_raw_and_no_style(hostile_path: Path, command: list[str]) -> None:
    text = piped(arguments(command, hostile_path))
    assert raw(text) == set()
    assert "\\x1b[31mred" in text.replace("\\u001b", "\\x1b")
    assert "\\u202eoverride" in text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_terminal_gets_nothing_raw_but_style(hostile_path: Path, command: list[str]) -> None:
    text = on_a_terminal(arguments(command, hostile_path))
    assert STYLE.search(text)
    assert raw(STYLE.sub("", text)) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_markup_and_emoji_names_stay_what_they_are(hostile_path: Path, command: list[str]) -> None:
    text = piped(arguments(command, hostile_path))
    for piece in ("[red]markup[/red]", "[/bold]", ":smile:"):
        assert piece in text


@pytest.mark.parametrize("prompt", ["\x1b[31mred [bold]", "\u202eoverride\x07"])
def test_a_hostile_prompt_is_escaped_too(hostile_path: Path, prompt: str) -> None:
    assert raw(piped(arguments(["compare", "--betas", "0,0"], hostile_path, prompt))) == set()


def test_a_byte_and_a_letter_stay_apart_where_the_output_is_ascii(tmp_path: Path) -> None:
    """Python's backslashreplace would write the letter as the byte is written."""
    model = write_llama(tmp_path / "m.gguf", spm_vocabulary(["é".encode()]))
    for prompt, shown in (("é", "\\u00e9"), ("\\", "\\\\")):
        command = [NEGTEMP, "run", "-m", str(model), "-p", prompt, "-n", "1"]
        done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=True)
        assert done.stdout.decode("ascii").startswith(shown)


def test_a_hostile_model_path_is_escaped_in_the_error(tmp_path: Path) -> None:
    done = subprocess.run([NEGTEMP, "run", "-m", str(tmp_path / "\x1b[31m\u202e.gguf")], capture_output=True)
    assert done.returncode == 1
    assert raw(done.stderr.decode()) == set()


def test_no_right_to_left_letter_stands_before_a_figure(hostile_path: Path) -> None:
    """In the token table the piece is last, so that a terminal that reorders moves nothing else."""
    for line in piped(arguments(["compare", "--betas", "0,0", "--tokens"], hostile_path)).splitlines():
        first = next((i for i, c in enumerate(line) if unicodedata.bidirectional(c) in ("R", "AL")), len(line))
        assert not any(character.isdigit() for character in line[first:])


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (-1000.0, "T=-0.001 (β=-1000)"),
        (0.0, "T=+inf (β=0)"),
        (float("-inf"), "T=-0 (β=-inf)"),
        (float("inf"), "T=0 (β=+inf)"),
    ],
)
def test_every_view_names_temperature_and_beta(beta: float, expected: str) -> None:
    assert console.temperature(Temperature.of_beta(beta)) == expected


def test_a_table_of_every_token_shows_as_many_as_somebody_reads_and_says_so(tmp_path: Path) -> None:
    """Of a vocabulary of 262,144 tokens it would take minutes."""
    vocabulary = spm_vocabulary([f"w{number}".encode() for number in range(6000)])
    path = write_llama(tmp_path / "large.gguf", vocabulary, tied=True)
    shown = subprocess.run(
        [NEGTEMP, "centroid", "-m", str(path), "--all"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert len(shown.splitlines()) < console.MOST_ROWS + 60
    assert re.search(rf"… {console.MOST_ROWS:,} of \d,\d{{3}} rows; --all with --json gives all", shown)
    records = subprocess.run(
        [NEGTEMP, "centroid", "-m", str(path), "--all", "--json"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert records.count('{"kind": "token"') > 6000
