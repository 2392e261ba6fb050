"""The experiment: the states that the records hold, against logits computed apart and brute force over them."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import HOSTILE
from models import spm_vocabulary, write_llama

import negtemp
from negtemp.errors import ModelError, PromptError, UsageError
from negtemp.experiments.settings import Settings
from negtemp.experiments.spectrum import BETAS, spectrum
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Spectrum, Step, Thermo, from_line, to_line
from negtemp.theory import boltzmann
from negtemp.theory.temperature import Temperature

PROMPT = "Temperature is a concept"
NO_SETTINGS = Settings()


def logits_after(model: Model, token_ids: Sequence[int]) -> np.ndarray:
    """The logits after some tokens, from one decode of all of them."""
    with Context(model, 1, len(token_ids) + 1) as context:
        return context.prompt(token_ids, 0).astype(np.float64)


def taken(engine: Engine, *prompts: str, settings: Settings = NO_SETTINGS, **options: Any) -> list[Thermo | Spectrum]:
    return list(spectrum(engine, prompts or (PROMPT,), settings, **options))


def summaries(records: Sequence[Thermo | Spectrum]) -> list[Spectrum]:
    return [record for record in records if isinstance(record, Spectrum)]


def test_every_state_is_what_brute_force_finds_in_the_model_s_logits(engine: Engine) -> None:
    z = logits_after(engine.model, engine.model.vocabulary.tokenize(PROMPT))
    *states, summary = taken(engine)
    assert [state.beta for state in states if isinstance(state, Thermo)] == list(BETAS)
    for state in states:
        assert isinstance(state, Thermo)
        p = boltzmann.probabilities(z, state.beta)
        assert state.entropy == pytest.approx(-sum(x * math.log(x) for x in p[p > 0]), abs=1e-9)
        assert state.energy == pytest.approx(-float(p @ z), abs=1e-9)
        assert state.probability == pytest.approx(p.max(), rel=1e-9)
        assert state.token_id == (None if state.beta == 0 else int(p.argmax()))
    assert isinstance(summary, Spectrum)
    assert summary.entropy == pytest.approx(boltzmann.entropy(z, 1.0))
    assert (summary.tokens, summary.masked, summary.max_entropy) == (len(z), 0, math.log(len(z)))
    assert (summary.density.lowest, summary.density.highest) == (z.min(), z.max())
    assert sum(summary.density.counts) == len(z)
    if summary.shelf.negative:
        shelf = summary.shelf.negative
        assert math.log(shelf.tokens) == pytest.approx(boltzmann.entropy(z, shelf.beta))
        assert shelf.heat_capacity == pytest.approx(boltzmann.heat_capacity(z, shelf.beta))


def test_the_rulers_are_the_extremes_in_order_with_their_bytes(engine: Engine) -> None:
    vocabulary = engine.model.vocabulary
    z = logits_after(engine.model, vocabulary.tokenize(PROMPT))
    (summary,) = summaries(taken(engine, rulers=3))
    order = np.argsort(z, kind="stable")
    assert [token.token_id for token in summary.rulers.negative] == order[:3].tolist()
    assert [token.token_id for token in summary.rulers.positive] == order[::-1][:3].tolist()
    for token in (*summary.rulers.negative, *summary.rulers.positive):
        assert token.raw == vocabulary.piece(token.token_id)
        assert token.category == vocabulary.category(token.token_id)
        assert token.logprob == pytest.approx(boltzmann.log_probabilities(z)[token.token_id])


def test_rule_changes_hands_at_beta_zero_and_nowhere_else(engine: Engine) -> None:
    states = [record for record in taken(engine) if isinstance(record, Thermo)]
    changes = [(a.beta, b.beta) for a, b in pairwise(states) if a.token_id != b.token_id]
    assert changes == [(-0.001, 0.0), (0.0, 0.001)]


def test_a_mask_takes_its_tokens_out_of_the_spectrum(engine: Engine) -> None:
    (summary,) = summaries(taken(engine, settings=Settings(mask=("byte", "control"), ignore_eos=True), rulers=10**6))
    assert summary.masked == len(engine.model.vocabulary.in_categories(("byte", "control")))
    assert summary.tokens + summary.masked == engine.model.vocabulary.size
    assert {token.category for token in summary.rulers.negative} == {"normal", "unknown"}
    assert len(summary.rulers.negative) == summary.tokens


@pytest.mark.parametrize("beta", [math.inf, 1.0, -2.0], ids=str)
def test_along_follows_the_text_that_run_generates(engine: Engine, beta: float) -> None:
    """The engine may pad a step where that is faster, and batch shape moves the last bits of float32 logits; at
    beta = -1000 they could decide, so it is not among the betas.
    """
    at = Temperature.of_beta(beta)
    found = summaries(taken(engine, along=6, temperature=at, seed=3, betas=[1.0], settings=Settings(ignore_eos=True)))
    with negtemp.load() as model:
        steps = [s for s in model.generate(PROMPT, beta=beta, seed=3, n_predict=6, ignore_eos=True)
                 if isinstance(s, Step)]  # fmt: skip
    assert [place.position for place in found] == list(range(7))
    assert [place.following.token_id for place in found if place.following] == [step.token_id for step in steps]
    assert [place.following.logprob for place in found if place.following] == pytest.approx(
        [step.logprob for step in steps], abs=1e-3
    )
    assert found[-1].following is None


def test_each_place_along_the_way_has_the_logits_of_its_own_context(engine: Engine) -> None:
    ids = engine.model.vocabulary.tokenize(PROMPT)
    for place in summaries(taken(engine, along=3, betas=[1.0])):
        z = logits_after(engine.model, ids)
        assert place.entropy == pytest.approx(float(boltzmann.entropy(z)), abs=1e-3)
        assert place.rulers.positive[0].token_id == int(z.argmax())
        if place.following:
            ids.append(place.following.token_id)


def test_along_stops_where_the_context_is_full(engine: Engine) -> None:
    length = len(engine.model.vocabulary.tokenize(PROMPT))
    found = summaries(taken(engine, along=9, betas=[0.0], settings=Settings(ctx_size=length + 2, ignore_eos=True)))
    assert [place.position for place in found] == [0, 1, 2]


def test_along_stops_where_the_model_ends_the_text(compiled: Any, tmp_path: Path) -> None:
    """With all but the end token masked, the draw ends the text at once."""
    path = write_llama(tmp_path / "end.gguf", spm_vocabulary([b"a"]))
    with Model(compiled, path) as model:
        only_end = Settings(mask=("byte", "normal", "unknown", "unused"))
        found = summaries(taken(Engine(model), "a", settings=only_end, along=20, temperature=Temperature.of_beta(0)))
    assert found[-1].position < 20
    assert all(place.following and place.following.category == "control" for place in found[:-1])


def test_prompts_are_sequences_in_their_order(engine: Engine) -> None:
    found = summaries(taken(engine, "a", "b", betas=[0.0]))
    assert [(place.sequence, place.prompt, place.position) for place in found] == [(0, "a", 0), (1, "b", 0)]


def test_betas_are_sorted_and_each_taken_once(engine: Engine) -> None:
    states = [record for record in taken(engine, betas=[2.0, -math.inf, 2.0, 0.0, -0.0]) if isinstance(record, Thermo)]
    assert [state.beta for state in states] == [-math.inf, 0.0, 2.0]


def test_equal_logits_have_no_ruler_and_no_half(compiled: Any, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "flat.gguf", spm_vocabulary([b"a", b"b"]), scale=0.0)
    with Model(compiled, path) as model:
        *states, summary = taken(Engine(model), "a")
        vocab = model.vocabulary.size
    assert isinstance(summary, Spectrum)
    assert {state.token_id for state in states if isinstance(state, Thermo)} == {None}
    assert {round(state.entropy, 12) for state in states} == {round(math.log(vocab), 12)}
    assert (summary.ties.positive, summary.ties.negative) == (vocab, vocab)
    assert (summary.half_entropy.positive, summary.half_share.negative) == (None, None)


@pytest.mark.parametrize("options", [{}, {"along": 4, "temperature": Temperature.of_beta(0)}], ids=["one", "along"])
def test_a_line_reads_back_as_the_record_it_was(hostile: Model, options: dict[str, Any]) -> None:
    for record in taken(Engine(hostile), "a\u202e\x1b", rulers=10**6, **options):
        line = to_line(record)
        assert line.isprintable()
        assert from_line(line) == record


def test_every_hostile_piece_keeps_its_bytes(hostile: Model) -> None:
    (summary,) = summaries(taken(Engine(hostile), "a", rulers=10**6))
    # llama.cpp ends a token at its first zero byte
    assert {piece.split(b"\0")[0] for piece in HOSTILE} <= {token.raw for token in summary.rulers.positive}


@pytest.mark.parametrize(
    ("error", "prompt", "settings", "options"),
    [
        (UsageError, PROMPT, Settings(top_k=40), {}),
        (UsageError, PROMPT, Settings(repeat_penalty=1.1), {}),
        (UsageError, PROMPT, Settings(), {"along": -1}),
        (UsageError, PROMPT, Settings(), {"betas": [math.nan]}),
        (PromptError, "word " * 600, Settings(), {}),
        (ModelError, PROMPT, Settings(mask=("byte", "control", "normal", "unknown")), {}),
    ],
    ids=["top-k", "penalty", "along", "nan", "long", "all-masked"],
)
def test_what_cannot_be_meant_is_refused(
    engine: Engine, error: type[Exception], prompt: str, settings: Settings, options: dict[str, Any]
) -> None:
    with pytest.raises(error):
        taken(engine, prompt, settings=settings, **options)


def test_the_python_api_yields_the_same_records(engine: Engine) -> None:
    with negtemp.load() as model:
        mine = list(model.spectrum(PROMPT, betas=[-1.0, 1.0], along=2, beta=-1.0, seed=4, mask=("byte",)))
    theirs = taken(engine, betas=[-1.0, 1.0], along=2, temperature=Temperature.of_beta(-1), seed=4,
                   settings=Settings(mask=("byte",)))  # fmt: skip
    assert mine == theirs
    assert not any(isinstance(record, Completion) for record in mine)
