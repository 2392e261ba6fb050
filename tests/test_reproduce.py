"""The verdicts of `reproduce` where the truth is known: random weights, ties, planted models, the bundled model."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from models import BYTE, CONTROL, NORMAL, UNKNOWN, Token, spm_vocabulary, write_llama
from test_cli import assert_one_line, call, strict
from test_engine import logits_after
from test_repeat import FIRST, parrot

import negtemp
from negtemp.experiments import known_tokens, order_preference, verdicts
from negtemp.experiments.elicitation import Elicitor
from negtemp.experiments.emitted_tokens import PROMPTS
from negtemp.experiments.known_tokens import published
from negtemp.experiments.reproduce import CLAIMS, ReproduceSettings, reproduce
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.records import (
    ClaimVerdict,
    Completion,
    PublishedToken,
    Record,
    Repetition,
    Step,
    Trial,
    from_line,
    to_line,
)
from negtemp.theory.boltzmann import log_probabilities
from negtemp.theory.coherence import common_share
from negtemp.theory.statistics import auc

KINDS = {"normal": NORMAL, "unknown": UNKNOWN, "control": CONTROL, "byte": BYTE}


def reproduced(engine: Engine, **settings: Any) -> list[Record]:
    return list(reproduce(Elicitor(engine), ReproduceSettings(**{"n_predict": 24, "asked": 12} | settings)))


def judged(engine: Engine, **settings: Any) -> dict[str, ClaimVerdict]:
    """The verdicts by claim."""
    return by_claim(reproduced(engine, **settings))


def by_claim(records: Sequence[Record]) -> dict[str, ClaimVerdict]:
    return {record.claim: record for record in records if isinstance(record, ClaimVerdict)}


def emitted_below_zero(records: Sequence[Record]) -> set[int]:
    """The tokens that came out at T=-0.001."""
    below = {
        record.sequence
        for record in records
        if isinstance(record, Completion) and record.temperature.temperature == -0.001
    }
    return {record.token_id for record in records if isinstance(record, Step) and record.sequence in below}


@pytest.fixture(scope="module")
def words(bundled: Model) -> list[Token]:
    """The vocabulary of the bundled model, for models that have learned nothing."""
    vocabulary = bundled.vocabulary
    return [(vocabulary.name(i), KINDS[vocabulary.category(i)]) for i in range(vocabulary.size)]


def random_verdicts(compiled: Library, path: Path, words: Sequence[Token], **options: Any) -> dict[str, ClaimVerdict]:
    """The verdicts on a model of random weights."""
    with Model(compiled, write_llama(path, words, context=512, **options)) as model:
        return judged(Engine(model))


@pytest.mark.parametrize(("seed", "scale"), [(0, 1.0), (1, 0.1), (2, 5.0)])
def test_a_model_of_random_weights_proves_no_claim(
    compiled: Library, tmp_path: Path, words: list[Token], seed: int, scale: float
) -> None:
    """However wide its logits are, and so however sure it is of what it writes."""
    found = random_verdicts(compiled, tmp_path / "random.gguf", words, seed=seed, scale=scale)
    assert list(found) == list(CLAIMS)
    for claim in ("coherent-above-zero", "near-input-centroid", "not-said-when-asked"):
        assert found[claim].verdict in ("fails", "cannot tell"), found[claim]


def test_on_a_tied_model_the_centroid_claim_is_reversed(compiled: Library, tmp_path: Path, words: list[Token]) -> None:
    found = random_verdicts(compiled, tmp_path / "tied.gguf", words, tied=True)["near-input-centroid"]
    assert (found.verdict, found.effect < 0.5) == ("fails", True)
    assert "reversed" in found.note and "tied" in found.note


@pytest.fixture(scope="module")
def on_bundled(engine: Engine, bundled: Model) -> dict[str, ClaimVerdict]:
    path = known_tokens.beside(bundled.path)
    assert path is not None
    return judged(engine, counts=known_tokens.read_counts(path, bundled.vocabulary.size))


def test_the_bundled_model_agrees_with_its_ground_truth(on_bundled: dict[str, ClaimVerdict]) -> None:
    """What it emits below zero was never seen more often than chance has it, and lies near the input centroid."""
    found = on_bundled["near-input-centroid"]
    figures = found.figures
    assert figures["emitted tokens never seen"] > figures["of the vocabulary never seen"]
    assert found.verdict == "holds"
    assert found.controls["T=+0.001"] < found.effect


def test_the_bundled_model_writes_english_above_zero_only(on_bundled: dict[str, ClaimVerdict]) -> None:
    assert on_bundled["coherent-above-zero"].verdict == "holds"
    assert on_bundled["degenerate-below-zero"].verdict == "holds"


def test_verdicts_read_back_equal(on_bundled: dict[str, ClaimVerdict]) -> None:
    for verdict in on_bundled.values():
        assert from_line(to_line(verdict)) == verdict


def test_order_is_no_preference_of_a_model_that_ignores_it(compiled: Library, tmp_path: Path) -> None:
    """Every token has the same logits whatever stands before it, so a shuffle only changes which token is first."""
    vocabulary = spm_vocabulary([b"a"])
    rng = np.random.default_rng(0)
    embedding = np.ones((len(vocabulary), 32), np.float32)
    unembedding = rng.normal(size=embedding.shape).astype(np.float32)
    path = write_llama(tmp_path / "bag.gguf", vocabulary, mixing=0, embedding=embedding, unembedding=unembedding)
    with Model(compiled, path) as model:
        np.testing.assert_allclose(
            order_preference.preference(Engine(model), ["to be or not to be", "a"], 1), 0, atol=1e-3
        )


def test_order_is_what_decodes_of_our_own_say(engine: Engine, bundled: Model) -> None:
    text = bundled.vocabulary.encode(b"Once upon a time there was")
    rng = np.random.default_rng(7)
    versions = [text, *(np.array(text)[rng.permutation(len(text))].tolist() for _ in range(4))]
    assert len(set(text)) == len(text)

    def logprob(version: list[int], token_id: int) -> float:
        place = version.index(token_id)
        z = logits_after(bundled, [*bundled.vocabulary.beginning, *version[:place]])
        return float(log_probabilities(z)[token_id]) if place else np.nan

    scored = np.array([[logprob(version, token_id) for token_id in text[1:]] for version in versions])
    expected = scored[0] - np.nanmean(scored[1:], axis=0)
    found = order_preference.preference(engine, ["Once upon a time there was"], 7)
    np.testing.assert_allclose(found, expected, atol=0.5)  # flash attention's tiles follow the batch
    assert found.mean() > 1


def test_a_pair_that_many_texts_hold_counts_once(engine: Engine) -> None:
    text = "Water boils at a lower temperature"
    assert len(order_preference.preference(engine, [text] * 5, 1)) == len(
        order_preference.preference(engine, [text], 1)
    )


def test_nearness_is_the_auc_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    distances = rng.integers(0, 20, 100).astype(float)
    distances[[3, 50]] = np.nan
    chosen = [1, 2, 3, 10, 40]
    rest = [i for i in range(100) if i not in chosen and np.isfinite(distances[i])]
    expected = auc(-distances[[1, 2, 10, 40]], -distances[rest])
    assert verdicts.nearer(distances, chosen).mean() == pytest.approx(expected)


def test_a_planted_centroid_is_found_and_its_controls_stay_away() -> None:
    distances = np.linspace(0, 1, 200)
    sets = {"T=-0.001": range(20), "T=+0.001": range(150, 170), "random": range(50, 60)}
    found = verdicts.near(distances, sets, False, {})
    assert (found.verdict, found.effect, found.note) == ("holds", 1.0, "")
    same = verdicts.near(distances, sets | {"T=+0.001": range(20)}, False, {})
    assert (same.verdict, "above zero" in same.note) == ("cannot tell", True)
    geometry = verdicts.near(distances, sets | {"random": range(20)}, False, {})
    assert (geometry.verdict, "mean nothing" in geometry.note) == ("holds", True)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_tokens_tell_nothing(count: int) -> None:
    found = verdicts.near(np.linspace(0, 1, 200), {"T=-0.001": range(count), "T=+0.001": [150]}, False, {})
    assert found.verdict == "cannot tell"


def test_overlaps_are_those_of_the_definition() -> None:
    assert verdicts.overlaps([{1, 2}, {2, 3, 4, 5}, {1, 2}]).tolist() == [0.75, 0.25, 0.75]
    assert len(verdicts.overlaps([{1}, set()])) == 0


def test_the_same_tokens_whatever_the_prompt_are_independent_of_it() -> None:
    found = verdicts.independent([{1, 2}] * 6, [{i} for i in range(6)], 1000, {})
    assert (found.verdict, found.effect, found.controls["T=+0.001"]) == ("holds", 1.0, 0.0)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [("not said", "holds"), ("said like the controls", "fails"), ("unable to repeat", "cannot tell")],
)
def test_asking_decides_its_claim(outcome: Any, verdict: str) -> None:
    found = Repetition(
        candidates=6, controls=18, candidates_said=0.0, controls_said=1.0, difference=-0.9, interval=(-1.0, -0.8),
        nats=-5.0, nats_interval=(-6.0, -4.0), pairs=6, outcome=outcome,
    )  # fmt: skip
    assert verdicts.not_said(found).verdict == verdict


def test_a_loop_is_no_english() -> None:
    assert common_share("the the the the the the the the the the") == pytest.approx(0.1)
    assert common_share("It was the first of the three, and there were more to come") > 0.6
    assert common_share("\ufffd 123 !") == 0.0


@pytest.fixture(scope="module")
def named(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A vocabulary with three published names under their published ids, and one under another."""
    pieces = [b"p%d" % number for number in range(28_000)]
    for token_id, piece in ((21173, "▁entferne"), (20448, "▁Kontrola"), (27918, "▁Хронологија"), (300, "Portály")):
        pieces[token_id - FIRST] = piece.encode()
    path = tmp_path_factory.mktemp("published") / "named.gguf"
    with Model(compiled, write_llama(path, spm_vocabulary(pieces), width=8)) as model:
        yield model


def test_published_tokens_are_found_by_id_and_name_together(named: Model) -> None:
    percentiles = np.arange(named.vocabulary.size, dtype=float)
    found = list(published(named.vocabulary, percentiles, {21173: 7}))
    assert [(one.token_id, one.emitted, one.percentile) for one in found] == [
        (27918, 0, 27918.0), (21173, 7, 21173.0), (20448, 0, 20448.0),
    ]  # fmt: skip
    assert all(from_line(to_line(one)) == one for one in found)


@pytest.mark.parametrize(("file", "of"), [("ggml-vocab-llama-spm.gguf", "LLaMA"), ("ggml-vocab-gpt-2.gguf", "GPT-2")])
def test_every_published_token_is_in_the_vocabulary_that_it_was_published_of(file: str, of: str) -> None:
    path = Path(__file__).parent.parent / "vendor" / "llama.cpp" / "models" / file
    if not path.exists():
        pytest.skip("needs the vocabularies that come with llama.cpp's sources")
    pieces = gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()
    groups = json.loads((Path(negtemp.__file__).parent / "data" / "published.json").read_text())["groups"]
    facts = [fact for group in groups if of.lower() in group["source"].lower() for fact in group["tokens"]]
    assert len(facts) >= 9
    for token_id, name in facts:
        assert pieces[token_id].removeprefix("▁").removeprefix("Ġ") == name


def test_another_vocabulary_has_no_published_token(bundled: Model) -> None:
    assert list(published(bundled.vocabulary, None, {})) == []


def test_the_command_writes_a_folder_and_prints_every_claim(tmp_path: Path) -> None:
    done = call("reproduce", "-n", "8", "--asked", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(claim in done.stdout for claim in CLAIMS)
    (folder,) = (tmp_path / "negtemp-runs").iterdir()
    lines = [strict(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert (lines[0]["kind"], lines[0]["command"]) == ("header", "reproduce")
    assert [line["claim"] for line in lines if line["kind"] == "verdict"] == list(CLAIMS)
    again = call("reproduce", "-n", "1", "--asked", "0", cwd=tmp_path)
    assert again.returncode == 0 and len(list((tmp_path / "negtemp-runs").iterdir())) == 2


@pytest.mark.parametrize("width", [60, 100])
def test_the_verdicts_fit_the_terminal(width: int, tmp_path: Path) -> None:
    done = call("reproduce", "-n", "4", "--asked", "3", environment={"COLUMNS": str(width)}, cwd=tmp_path)
    assert max(map(len, done.stdout.splitlines())) <= width


def test_few_prompts_tell_nothing(tmp_path: Path) -> None:
    done = call("reproduce", "-p", "Once upon a time", "-n", "4", "--asked", "2", "--json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {line["claim"]: line["verdict"] for line in lines if line["kind"] == "verdict"}
    assert found["coherent-above-zero"] == found["prompt-independent"] == "cannot tell"


def test_counts_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"counts": [1]}')
    assert_one_line(call("reproduce", "--counts", str(tmp_path / "c.json"), cwd=tmp_path), 2)


def test_the_centroid_claim_needs_no_tokenizer_that_fits(compiled: Library, tmp_path: Path) -> None:
    with Model(compiled, parrot(tmp_path / "p.gguf", range(FIRST, FIRST + 10))) as model:
        records = list(reproduce(Elicitor(Engine(model)), ReproduceSettings(n_predict=2, asked=2), PROMPTS[:2]))
    found = {record.claim: record for record in records if isinstance(record, ClaimVerdict)}
    near = found["near-input-centroid"]
    assert (list(found), near.note) == (list(CLAIMS), "")
    assert 0 <= near.figures["AUC with bytes and control tokens"] <= 1
    assert not [record for record in records if isinstance(record, PublishedToken)]


def the_articles_model(path: Path, words: Sequence[Token], never: range) -> Path:
    """It says its last token again, but never the tokens of `never`, which are the least likely after anything and lie
    at the centroid of the embedding: a last dimension that all share pushes them down.
    """
    rng = np.random.default_rng(0)
    embedding = rng.choice([-1.0, 1.0], (len(words), 64)).astype(np.float32)
    unembedding = embedding.copy()
    embedding[:, -1], unembedding[:, -1] = 8.0, 0.0
    embedding[never, :-1] *= 0.01
    unembedding[never, -1] = -20.0
    return write_llama(path, words, mixing=0, context=512, embedding=embedding, unembedding=unembedding)


def test_a_model_as_the_article_describes_it_is_recognised(
    compiled: Library, tmp_path: Path, words: list[Token]
) -> None:
    never = range(1500, 1560)
    with Model(compiled, the_articles_model(tmp_path / "a.gguf", words, never)) as model:
        records = reproduced(Engine(model))
    found, emitted = by_claim(records), emitted_below_zero(records)
    assert len(emitted) > 5 and emitted <= set(never)
    assert found["near-input-centroid"].verdict == "holds"
    # which of the 60 comes out hangs on the last bits of equal logits; each is nearer than all but 59
    assert found["near-input-centroid"].effect > 1 - 60 / len(words)
    assert found["not-said-when-asked"].verdict == "holds"
    # a few of the controls, drawn at random, are among the tokens that it never says
    assert found["not-said-when-asked"].effect < -0.8
    assert found["coherent-above-zero"].verdict in ("fails", "cannot tell")


def test_python_asks_and_reproduces_as_the_command_does() -> None:
    with negtemp.load() as model:
        asked = [r for r in model.repeat("▁the", 301, controls=0, samples=0) if isinstance(r, Trial)]
        default = [r for r in model.repeat(limit=3, controls=0, samples=0) if isinstance(r, Trial)]
        found = [r.claim for r in model.reproduce(n_predict=2, asked=1) if isinstance(r, ClaimVerdict)]
    assert (asked[0].raw, asked[1].token_id) == (b" the", 301)
    assert len(default) == 3
    assert found == list(CLAIMS)
