"""The audit of models whose truth is known: what is found, what the model can say, and when nothing can be said."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from halflearned import REACHABLE, write_half_learned
from models import write_llama
from vocabularies import spm_vocabulary

import negtemp
from negtemp.errors import UsageError
from negtemp.experiments.audit import AuditSettings, _RunningAudit, audit, goes_on
from negtemp.experiments.elicitation import Elicitor, Said, observe, reference_tokens
from negtemp.experiments.indicators import Reference, _by_ranking
from negtemp.experiments.superstrings import superstrings
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.weights.tensors import Weights
from negtemp.records import Audit, AuditToken, to_line
from negtemp.theory import ranking
from negtemp.theory.boltzmann import probabilities
from negtemp.theory.statistics import auc

Result = tuple[list[AuditToken], Audit]


def audited(compiled: Library, path: Path, settings: AuditSettings | None = None) -> Result:
    """All records of one audit."""
    with Model(compiled, path) as model, Weights(compiled, path) as weights:
        *tokens, summary = audit(Engine(model), weights, settings)
    assert isinstance(summary, Audit)
    return [token for token in tokens if isinstance(token, AuditToken)], summary


@pytest.fixture(scope="module")
def half_learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[int]]:
    return write_half_learned(tmp_path_factory.mktemp("audit") / "half.gguf")


@pytest.fixture(scope="module")
def found(compiled: Library, half_learned: tuple[Path, set[int]]) -> Result:
    return audited(compiled, half_learned[0])


@pytest.fixture(scope="module")
def exhausted(compiled: Library, half_learned: tuple[Path, set[int]]) -> Result:
    return audited(compiled, half_learned[0], AuditSettings(exhaustive=True))


def test_every_token_has_a_record_from_the_most_suspect_on(found: Result, half_learned: tuple[Path, set[int]]) -> None:
    tokens, _ = found
    assert [token.rank for token in tokens] == list(range(len(tokens)))
    assert len({token.token_id for token in tokens}) == len(tokens)
    scores = [token.score for token in tokens]
    assert scores == sorted(scores, reverse=True)


def test_the_candidates_are_the_tokens_never_learned(found: Result, half_learned: tuple[Path, set[int]]) -> None:
    assert {token.token_id for token in found[0] if token.candidate} == half_learned[1]


def test_only_what_text_can_hold_is_asked_and_all_of_it_is_confirmed(found: Result) -> None:
    tokens, summary = found
    confirmed = {token.raw for token in tokens if token.verdict == "strong"}
    assert confirmed == set(REACHABLE)
    median = summary.controls.median
    assert summary.can_verify and median is not None and median > 0.5
    assert summary.categories["normal"].strong == len(REACHABLE)
    assert summary.categories["byte-invalid"].verified == 0


def test_an_exhaustive_audit_asks_for_every_token(exhausted: Result, half_learned: tuple[Path, set[int]]) -> None:
    tokens, _ = exhausted
    assert all(token.verdict is not None for token in tokens)
    assert {token.token_id for token in tokens if token.verdict != "rejected"} == half_learned[1]


def test_a_model_that_repeats_nothing_gives_a_ranking_without_verdicts(compiled: Library, tmp_path: Path) -> None:
    path, unknown = write_half_learned(tmp_path / "mute.gguf", says=False)
    tokens, summary = audited(compiled, path)
    assert not summary.can_verify and summary.problem is None
    assert {token.token_id for token in tokens if token.candidate} == unknown
    assert {token.verdict for token in tokens} == {None}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_can_be_said_of_random_weights(compiled: Library, tmp_path: Path, seed: int) -> None:
    pieces = [bytes([a, b]) for a in b"abcdefgh" for b in b"abcdefgh"]
    path = write_llama(tmp_path / "random.gguf", spm_vocabulary([bytes([a]) for a in b"abcdefgh"] + pieces), seed=seed)
    tokens, summary = audited(compiled, path)
    assert summary.problem is not None and summary.problem.startswith("nothing can be said")
    assert not any(token.candidate or token.verdict for token in tokens)


def test_a_context_too_short_for_any_prompt_leaves_the_ranking(compiled: Library, tmp_path: Path) -> None:
    path, unknown = write_half_learned(tmp_path / "short.gguf", context=8)
    tokens, summary = audited(compiled, path)
    assert summary.controls.tokens == 0 and summary.problem is None
    assert {token.verdict for token in tokens} == {None}
    ranked = np.array([token.token_id in unknown for token in tokens])
    assert auc(-np.flatnonzero(ranked), -np.flatnonzero(~ranked)) > 0.99


def test_a_row_that_is_not_a_number_has_no_score_and_disturbs_no_other(compiled: Library, tmp_path: Path) -> None:
    path, unknown = write_half_learned(tmp_path / "broken.gguf", broken=300)
    tokens, _ = audited(compiled, path)
    assert tokens[-1].token_id == 300 and np.isnan(tokens[-1].score)
    assert {token.token_id for token in tokens if token.candidate} == unknown
    assert '"score": null' in to_line(tokens[-1])


def test_a_number_of_candidates_is_obeyed(compiled: Library, half_learned: tuple[Path, set[int]]) -> None:
    tokens, summary = audited(compiled, half_learned[0], AuditSettings(candidates=10))
    assert sum(token.candidate for token in tokens) == 10
    assert summary.threshold is None


@pytest.mark.parametrize(
    ("wanted", "vocab", "number"),
    [(5, 100, 5), (500, 100, 100), (1, 9, 1), (0.02, 1000, 20), (0.02, 10, 1), (1.0, 9, 9)],
)
def test_candidates_as_a_number_or_a_share(wanted: int | float, vocab: int, number: int) -> None:
    assert AuditSettings(candidates=wanted).number(vocab) == number


@pytest.mark.parametrize("wanted", [0, -1, 2.5, 0.0])
def test_candidates_that_cannot_be_meant_are_refused(wanted: int | float) -> None:
    with pytest.raises(UsageError, match="`candidates`"):
        AuditSettings(candidates=wanted)


def test_an_answer_is_the_probability_of_the_exact_id_in_each_prompt(
    compiled: Library, half_learned: tuple[Path, set[int]]
) -> None:
    """Batched and spliced, against one prompt at a time and the specification's softmax."""
    token_id = 3 + 256 + 40
    with Model(compiled, half_learned[0]) as model:
        elicitor = Elicitor(Engine(model))
        (answer,) = elicitor.ask([token_id])
        for name, p in answer.probabilities.items():
            (row,) = score(model, [elicitor.prompts[name].fill(token_id)], last=1)
            assert p == pytest.approx(float(probabilities(row.logits)[token_id]), rel=1e-2)
    assert answer.probability == max(answer.probabilities.values())


def test_a_token_once_said_is_not_asked_again(compiled: Library, half_learned: tuple[Path, set[int]]) -> None:
    path, unknown = half_learned
    with Model(compiled, path) as model:
        elicitor = Elicitor(Engine(model))
        said, silent = elicitor.ask([3 + 256 + 40, max(unknown)])
    assert max(list(said.probabilities.values())[:-1], default=0.0) < 0.1 <= said.probability
    assert silent.probabilities.keys() == elicitor.prompts.keys()


def test_a_masked_token_is_never_likely() -> None:
    logits = np.array([1.0, -np.inf, np.nan, 0.0], np.float32)
    assert [observe(logits, i) for i in (1, 2)] == [Said(0.0, 2)] * 2
    assert observe(logits, 0).probability == pytest.approx(1 / (1 + np.exp(-1)))
    assert observe(np.full(3, np.nan, np.float32), 0) == Said(0.0, 0)


@pytest.mark.parametrize("order", [[], [1], list(range(10)), list(range(1000))], ids=len)
def test_reference_tokens_come_from_the_less_suspect_half(order: Sequence[int]) -> None:
    chosen = reference_tokens(order, 48)
    assert set(chosen) <= set(order[len(order) // 2 :])
    assert len(chosen) == min(48, len(order) - len(order) // 2)
    assert len(set(chosen)) == len(chosen)


def test_superstrings_are_those_of_a_search_by_hand(bundled: Model) -> None:
    vocabulary = bundled.vocabulary
    pieces = [vocabulary.piece(i) for i in range(vocabulary.size)]
    chosen = range(600, 700)
    for token_id, holders in superstrings(vocabulary, chosen, most=10**6).items():
        by_hand = {i for i, piece in enumerate(pieces) if pieces[token_id] in piece and i != token_id}
        assert set(holders) == by_hand
    few = superstrings(vocabulary, chosen, most=2)
    assert max(map(len, few.values())) == 2


def test_python_gives_the_same_records(half_learned: tuple[Path, set[int]]) -> None:
    with negtemp.load(half_learned[0]) as model:
        *tokens, whole = model.audit(verify=False)
    assert isinstance(whole, Audit) and not whole.can_verify
    assert {t.token_id for t in tokens if isinstance(t, AuditToken) and t.candidate} == half_learned[1]


@pytest.mark.parametrize(("unused_depth", "has_scale", "suspects"), [(-9.0, False, 20), (9.0, True, 100)])
def test_unused_tokens_that_lie_among_those_in_use_give_no_threshold(
    unused_depth: float, has_scale: bool, suspects: int
) -> None:
    """Then scores are ranks, and the literature's 2 % are suspect, not the half that lies above the middle."""
    rng = np.random.default_rng(3)
    depth, unused = rng.normal(0, 1, 1000), np.arange(1000) < 100
    depth[unused] += unused_depth
    found = {name: depth.copy() for name in ("mean_logit", "thermal_plus_1", "thermal_plus_half", "thermal_minus_1")}
    found |= {name: depth.copy() for name in (*ranking.COMBINED, *ranking.MOMENTS)}
    reference = Reference(tuple(range(100)), "named so")
    survey = _by_ranking(found, reference, unused, np.ones(1000, bool))
    under_way = _RunningAudit(cast(Any, None), ["normal"] * 1000, survey, AuditSettings())
    assert (survey.has_scale, under_way.suspect_count) == (has_scale, suspects)


@pytest.mark.parametrize(
    ("done", "expected", "fewest", "rates", "more"),
    [
        (0, 0, 640, [], True),  # nothing suspect: the literature's 2 % all the same
        (576, 0, 640, [0.0] * 9, True),
        (640, 0, 640, [0.0] * 10, False),
        (0, 0, 0, [], False),
        (0, 3, 0, [], True),
        (640, 3000, 640, [0.0] * 8 + [0.05, 0.5], True),  # candidates, some of them confirmed
        (640, 3000, 640, [0.9] * 8 + [0.05, 0.05], False),
        (3008, 3000, 640, [0.5] * 47, True),  # beyond the candidates, still confirmed
        (3008, 3000, 640, [0.5] * 46 + [0.3], False),
    ],
)
def test_how_far_verification_walks(done: int, expected: int, fewest: int, rates: list[float], more: bool) -> None:
    assert goes_on(done, expected, fewest, rates) is more
