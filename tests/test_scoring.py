"""Many prompts in a batch: every row is what a decode of that prompt alone says, whatever stands beside it."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_engine import logits_after

from negtemp.errors import ModelError, PromptError
from negtemp.model.engine.prompt_logits import score
from negtemp.model.library import Library
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model

# flash attention accumulates in half precision and its tiles follow the batch: hundredths of a spread of 5 nats
FLASH = 0.5


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch, compiled: Library) -> None:
    """Flash attention off, so that a batch is held to the last bits."""
    defaults = compiled.api.llama_context_default_params

    def without_flash() -> Any:
        params = defaults()
        params.flash_attn_type = 0
        return params

    monkeypatch.setattr(compiled.api, "llama_context_default_params", without_flash)


def rows(model: Model, prompts: Sequence[Sequence[int]], **options: int | None) -> list[NDArray[np.float32]]:
    """The logits of every row."""
    return [row.logits for row in score(model, prompts, **options)]  # type: ignore[arg-type]


def mixed(model: Model) -> list[list[int]]:
    """Prompts of many lengths, some of which begin alike."""
    begin = model.vocabulary.tokenize("The temperature of a gas is")
    rng = np.random.default_rng(0)
    tails = [rng.integers(3, model.vocabulary.size, rng.integers(0, 12)).tolist() for _ in range(20)]
    return [begin + tail for tail in tails] + [tail for tail in tails if tail] + [begin * 6, begin]


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("sequences", [1, 7, 32])
def test_each_row_is_that_of_its_prompt_alone_to_the_last_bits(hostile: Model, sequences: int) -> None:
    prompts = mixed(hostile)
    for prompt, row in zip(prompts, rows(hostile, prompts, sequences=sequences), strict=True):
        np.testing.assert_allclose(row, logits_after(hostile, prompt), atol=1e-4)


def test_flash_attention_and_quantised_weights_move_a_row_a_little(bundled: Model) -> None:
    prompts = mixed(bundled)
    for prompt, row in zip(prompts, rows(bundled, prompts), strict=True):
        np.testing.assert_allclose(row, logits_after(bundled, prompt), atol=FLASH)


@pytest.mark.usefixtures("exact")
def test_every_position_of_a_prompt_that_spans_decodes(hostile: Model) -> None:
    prompt = (hostile.vocabulary.tokenize("Heat flows from a warm body to a cold one.") * 4)[:90]
    found = rows(hostile, [prompt], last=None, sequences=4)
    assert len(found) == 90
    for position in (0, 1, 40, 89):
        np.testing.assert_allclose(found[position], logits_after(hostile, prompt[: position + 1]), atol=1e-4)


def test_the_last_few_rows_say_where_they_stand(bundled: Model) -> None:
    prompts = [[1, 300, 301, 302], [1, 300], [1, 300, 301, 302]]
    places = [(row.prompt, row.position) for row in score(bundled, prompts, last=3)]
    assert places == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (2, 1), (2, 2), (2, 3)]


def test_prompts_are_taken_as_they_are_needed(bundled: Model) -> None:
    """An endless stream of prompts gives rows; memory holds one group at most."""
    stream = ([1, 300, 301 + number % 700] for number in itertools.count())
    found = score(bundled, stream, sequences=8)
    assert [row.prompt for row in itertools.islice(found, 50)] == list(range(50))


def test_what_prompts_begin_with_is_decoded_once(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    batch = Context.batch

    def counted(self: Context, entries: Sequence[tuple[int, int, int, bool]]) -> object:
        decoded.append(len(entries))
        return batch(self, entries)

    monkeypatch.setattr(Context, "batch", counted)
    begin = bundled.vocabulary.tokenize("The temperature of a gas is a measure of how fast its molecules move")
    rows(bundled, [[*begin, token_id] for token_id in range(300, 364)], sequences=16)
    assert sum(decoded) == len(begin) + 64


@pytest.mark.parametrize("prompt", [[], [1] * 100_000])
def test_a_prompt_of_nothing_or_too_much_is_refused(bundled: Model, prompt: list[int]) -> None:
    with pytest.raises(PromptError):
        rows(bundled, [[1, 2], prompt])


@pytest.mark.parametrize("token_id", [-1, 10**6])
def test_an_id_that_does_not_exist_is_refused(bundled: Model, token_id: int) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        rows(bundled, [[1, token_id]])
