"""`negtemp repeat` as users type it: which tokens are meant, what is printed, and one line for what cannot be meant."""

import subprocess
import sys
from pathlib import Path

import pytest
from models import spm_vocabulary, write_llama
from test_cli import assert_one_line, call, records
from test_console import piped, raw

BUNDLED_IDS = "300,301,302,303"


def trials(*arguments: str) -> list[int]:
    """The candidates' ids that a call asked for."""
    return [line["token_id"] for line in records("repeat", "--samples", "0", *arguments)
            if line["kind"] == "trial" and line["role"] == "candidate"]  # fmt: skip


def test_ids_and_tokens_are_asked_for_in_the_order_given() -> None:
    found = trials("--tokens", "▁the", "--ids", "301,300", "--controls", "0", "--shapes", "repetition")
    assert found[1:] == [301, 300]


def test_a_header_trials_and_one_conclusion() -> None:
    lines = records("repeat", "--ids", BUNDLED_IDS, "--controls", "2", "--samples", "1")
    assert [line["kind"] for line in lines] == ["header", *["trial"] * 12, "repetition"]
    assert lines[0]["settings"]["shapes"] == ["echo", "definition", "repetition"]
    assert lines[-1]["pairs"] == 4


def test_a_run_gives_what_it_emitted_below_zero(tmp_path: Path) -> None:
    made = records("compare", "-n", "6", "-o", str(tmp_path / "run"))
    below = [line for line in made if line["kind"] == "completion" and line["temperature"] < 0]
    found = trials("--from", str(tmp_path / "run"), "--controls", "0", "--shapes", "definition")
    assert found and set(found) <= set(below[0]["token_ids"])


def test_by_default_it_asks_for_what_the_model_emits_below_zero() -> None:
    assert len(trials("--limit", "5", "--controls", "0", "--shapes", "definition")) == 5


@pytest.mark.parametrize(
    ("status", "arguments", "says"),
    [
        (2, ["--tokens", "Temperature is a concept"], "but"),
        (2, ["--tokens", ""], "no text"),
        (1, ["--ids", "99999999"], "does not exist"),
        (2, ["--ids", "1.5"], "no token id"),
        (2, ["--ids", "inf"], "no token id"),
        (2, ["--ids", ""], "empty"),
        (2, ["--ids", "5", "--shapes", "shout"], "--shapes"),
        (1, ["--ids", "5", "--shapes", "instruction"], "no chat template"),
        (2, ["--ids", "5", "--counts", "no such.json"], "cannot read"),
        (1, ["--from", "no such folder"], "no such folder"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_one_line(status: int, arguments: list[str], says: str) -> None:
    done = call("repeat", *arguments)
    assert_one_line(done, status)
    assert says in done.stderr


def test_a_run_that_emitted_nothing_below_zero_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    records("run", "--temp", "1", "-n", "2", "-o", str(folder))
    done = call("repeat", "--from", str(folder))
    assert_one_line(done, 1)
    assert "below zero" in done.stderr


def test_counts_of_another_vocabulary_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    path.write_text('{"counts": [1, 2, 3]}')
    assert_one_line(call("repeat", "--ids", "5", "--counts", str(path)), 2)


def test_a_chat_template_that_fails_is_one_line_and_the_rest_is_asked(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "m.gguf", spm_vocabulary([b"a"]), context=512, chat_template="{{ nonsense")
    done = call("repeat", "-m", str(model), "--ids", "259", "--samples", "0", "--json")
    assert done.returncode == 0
    assert done.stderr.count("chat template") == 1


def test_nothing_hostile_reaches_the_terminal(hostile_path: Path) -> None:
    ids = ",".join(str(number) for number in range(259, 286))
    command = [str(Path(sys.executable).with_name("negtemp")), "repeat", "-m", str(hostile_path), "--ids", ids,
               "--shapes", "definition", "--all"]  # fmt: skip
    assert raw(piped(command)) == set()


@pytest.mark.parametrize("width", ["60", "100"])
def test_the_table_fits_the_terminal(width: str) -> None:
    done = call("repeat", "--ids", BUNDLED_IDS, "--shapes", "repetition", environment={"COLUMNS": width})
    assert max(map(len, done.stdout.splitlines())) <= int(width)


def test_interrupting_is_130() -> None:
    import signal

    with subprocess.Popen(
        [str(Path(sys.executable).with_name("negtemp")), "repeat", "--limit", "200", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        complaint = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in complaint
