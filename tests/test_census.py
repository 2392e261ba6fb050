"""A census counts what was never trained: against known counts, and not where there is nothing to be counted."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import write_llama
from vocabularies import spm_vocabulary

import negtemp
from negtemp.experiments import census
from negtemp.model import model_file
from negtemp.records import Census, Plateau

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
NEVER = sum(
    count == 0
    for count in json.loads(model_file.bundled().with_name("tiny.counts.json").read_text(encoding="utf-8"))["counts"]
)


def taken(path: Path | None = None, blind: bool = False) -> tuple[list[Plateau], Census]:
    """All records of one census."""
    with negtemp.load(path) as model:
        records = list(model.census(blind=blind))
    whole = records[-1]
    assert isinstance(whole, Census)
    return [record for record in records if isinstance(record, Plateau)], whole


@pytest.fixture(scope="module")
def bundled() -> tuple[list[Plateau], Census]:
    return taken()


def test_plateau_and_level_count_the_tokens_never_seen_in_training(bundled: tuple[list[Plateau], Census]) -> None:
    _, whole = bundled
    assert whole.plateau is not None and whole.level is not None
    assert whole.plateau.tokens == pytest.approx(NEVER, rel=0.005)
    assert whole.level.tokens == pytest.approx(NEVER, rel=0.005)
    assert "agree" in whole.agreement


def test_the_members_of_the_level_are_counted_by_category(bundled: tuple[list[Plateau], Census]) -> None:
    _, whole = bundled
    assert whole.level is not None
    assert sum(whole.by_category.values()) == whole.level.tokens
    assert whole.listed.by_category == {"byte-invalid": 13} and whole.listed.at_level == 13


def test_the_level_is_found_without_the_list(bundled: tuple[list[Plateau], Census]) -> None:
    _, blind = taken(blind=True)
    assert blind.level is not None and bundled[1].level is not None
    assert blind.level.tokens == bundled[1].level.tokens


def test_random_weights_have_neither_plateau_nor_level(tmp_path: Path) -> None:
    pieces = [bytes([a, b]) for a in b"abcdefgh" for b in b"abcdefgh"]
    _, whole = taken(write_llama(tmp_path / "random.gguf", spm_vocabulary(pieces), seed=1))
    assert whole.level is None
    assert whole.agreement.startswith(("neither", "only the plateau"))


def test_a_plateau_of_fewer_tokens_than_make_a_level_is_none() -> None:
    """Two tokens far below all others are an accident of one context."""
    logits = np.concatenate([np.linspace(0, 10, 200), [-40.0, -40.0]])
    assert census.plateau(3, logits) == Plateau(context=3, beta=None, tokens=None, heat_capacity=None)


@pytest.mark.parametrize("scatter", [0.0, 0.01])
def test_a_plateau_counts_the_tokens_that_lie_together_below_all_others(scatter: float) -> None:
    together = -40 + scatter * np.random.default_rng(0).normal(size=50)
    assert census.plateau(0, np.concatenate([np.linspace(0, 10, 200), together])).tokens == pytest.approx(50, rel=0.01)


def test_the_flattest_plateau_decides_and_the_flattest_quarter_is_the_interval() -> None:
    found = [Plateau(context=i, beta=-1.0, tokens=100.0 + i, heat_capacity=1.0 - i / 10) for i in range(8)]
    counted = census.count(found)
    assert counted is not None
    assert (counted.tokens, counted.low, counted.high, counted.plateaus) == (107.0, 106.0, 107.0, 8)


def test_plateaus_in_less_than_half_of_the_contexts_are_accidents() -> None:
    nothing = [Plateau(context=i, beta=None, tokens=None, heat_capacity=None) for i in range(5)]
    some = [Plateau(context=i, beta=-1.0, tokens=9.0, heat_capacity=0.1) for i in range(4)]
    assert census.count([*nothing, *some]) is None
    assert census.count([*nothing[:4], *some]) is not None


def test_the_command_writes_a_header_the_plateaus_and_the_census() -> None:
    done = subprocess.run([NEGTEMP, "census", "--json"], capture_output=True, text=True, timeout=600, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["header", *["plateau"] * (len(lines) - 2), "census"]
    assert lines[-1]["level"]["tokens"] == pytest.approx(NEVER, rel=0.005)
