"""Asking for tokens: a model whose answers are known says what it can say, and is not blamed for what nobody could."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import spm_vocabulary, write_llama

from negtemp.errors import ModelError, PromptError, UsageError
from negtemp.experiments import elicitation_prompts
from negtemp.experiments.elicitation import Elicitor
from negtemp.experiments.matched_controls import controls, script, traits
from negtemp.experiments.repeat import RepeatSettings, repeat
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.splicing import SLOT, template
from negtemp.records import Repetition, Trial, from_line, to_line
from negtemp.records.trial import grade

WORDS = [b"\xe2\x96\x81w%02d" % number for number in range(60)]
FIRST = 3 + 256
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant"


def parrot(path: Path, mute: range, **options: Any) -> Path:
    """A model that says its last token again, with certainty, but for the `mute` ones, which it never says."""
    vocabulary = spm_vocabulary(WORDS)
    embedding = np.random.default_rng(0).choice([-1.0, 1.0], (len(vocabulary), 64)).astype(np.float32)
    unembedding = embedding.copy()
    unembedding[list(mute)] = 0
    options = {"context": 512} | options
    return write_llama(path, vocabulary, mixing=0, embedding=embedding, unembedding=unembedding, **options)


MUTE = range(FIRST, FIRST + 10)


@pytest.fixture(scope="module")
def partly_mute(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Model(compiled, parrot(tmp_path_factory.mktemp("parrot") / "p.gguf", MUTE)) as model:
        yield Engine(model)


def asked(engine: Engine, candidates: list[int], **options: Any) -> tuple[list[Trial], Repetition]:
    """The trials and what they show, with two short prompts: these vocabularies spell every text in bytes."""
    vocabulary = engine.model.vocabulary
    short = {
        "quoted": template(vocabulary, ['"', SLOT, '" "']),
        "repetition": template(vocabulary, ["w:", *[SLOT] * 3]),
    }
    records = list(repeat(Elicitor(engine, short), candidates, RepeatSettings(**options)))
    last = records[-1]
    assert isinstance(last, Repetition)
    return [record for record in records if isinstance(record, Trial)], last


def test_tokens_that_a_model_never_says_are_told_from_their_controls(partly_mute: Engine) -> None:
    trials, found = asked(partly_mute, [*MUTE][:6])
    assert found.outcome == "not said"
    assert (found.candidates_said, found.controls_said > 0.5) == (0.0, True)
    assert found.interval[1] < -0.5
    for trial in trials:
        expected = 0.0 if trial.token_id in MUTE else 1.0
        assert trial.probability == pytest.approx(expected, abs=1e-3)
        assert trial.grade == ("never" if trial.token_id in MUTE else "said")


def test_the_answer_is_what_the_model_says_instead_or_indeed(partly_mute: Engine) -> None:
    mute, talking = MUTE[0], FIRST + 50
    trials = {trial.token_id: trial for trial in asked(partly_mute, [mute, talking], controls=0)[0]}
    assert trials[talking].said == (talking,) * 4
    assert (trials[talking].shape, trials[talking].rank, trials[talking].sampled) == ("repetition", 0, 1.0)
    assert mute not in trials[mute].said
    assert (trials[mute].rank > 0, trials[mute].sampled) == (True, 0.0)


def test_tokens_said_like_their_controls_are_not_blamed(partly_mute: Engine) -> None:
    found = asked(partly_mute, list(range(FIRST + 20, FIRST + 26)))[1]
    assert found.outcome == "said like the controls"
    assert found.difference > -0.1


def test_a_model_of_random_weights_is_unable_to_repeat(hostile: Model) -> None:
    """Not refusing: it says nothing that it is asked for."""
    trials, found = asked(Engine(hostile), list(range(260, 270)))
    assert found.outcome == "unable to repeat"
    assert found.controls_said < 0.5
    assert sum(trial.role == "control" for trial in trials) > 5


def test_without_controls_nothing_can_be_told(partly_mute: Engine) -> None:
    found = asked(partly_mute, [*MUTE], controls=0)[1]
    assert (found.outcome, found.pairs) == ("cannot tell", 0)
    assert math.isnan(found.difference)


def test_an_id_that_does_not_exist_is_refused(partly_mute: Engine) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        asked(partly_mute, [10**6])


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.91, "said"),
        (0.9, "said"),
        (0.8999, "often"),
        (0.05, "seldom"),
        (0.005, "rarely"),
        (0.001, "rarely"),
        (0.00099, "never"),
    ],
)
def test_grades_are_the_literatures(probability: float, expected: str) -> None:
    assert grade(probability) == expected


def test_records_read_back_equal(partly_mute: Engine) -> None:
    trials, found = asked(partly_mute, [MUTE[0], 5, 200])
    records: list[Trial | Repetition] = [*trials, found]
    for record in records:
        assert from_line(to_line(record)) == record
    assert {"kind", "token_id", "role", "probability", "said", "grade"} <= json.loads(to_line(trials[0])).keys()


def test_a_figure_of_nothing_is_null(partly_mute: Engine) -> None:
    line = json.loads(to_line(asked(partly_mute, [MUTE[0]], controls=0)[1]))
    assert (line["difference"], line["interval"], line["nats"]) == (None, [None, None], None)
    assert from_line(json.dumps(line)).to_dict() == line


def test_controls_share_what_they_say_they_share(bundled: Model) -> None:
    vocabulary = bundled.vocabulary
    candidates = [i for i in range(vocabulary.size) if vocabulary.category(i) == "normal"][40:60]
    drawn = controls(vocabulary, candidates, 3, seed=1)
    assert len({one.token_id for one in drawn}) == len(drawn) == 60
    assert not {one.token_id for one in drawn} & set(candidates)
    for one in drawn:
        depth = len(one.matched_on)
        assert traits(vocabulary, one.token_id)[:depth] == traits(vocabulary, one.control_for)[:depth]
    assert Counter(len(one.matched_on) for one in drawn)[4] > 40


def test_controls_follow_the_seed(bundled: Model) -> None:
    first, again, other = (controls(bundled.vocabulary, [700, 900], 3, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_where_counts_are_known_the_nearest_in_count_are_taken(partly_mute: Engine) -> None:
    vocabulary = partly_mute.model.vocabulary
    counts = np.array([0] * FIRST + [1000 if number % 2 else 0 for number in range(len(WORDS))])
    for candidate in (FIRST + 4, FIRST + 5):
        drawn = controls(vocabulary, [candidate], 5, seed=3, counts=counts)
        assert {counts[one.token_id] for one in drawn} == {counts[candidate]}
        assert all("count" in one.matched_on for one in drawn)


def test_a_category_of_one_has_no_control(partly_mute: Engine) -> None:
    assert controls(partly_mute.model.vocabulary, [0], 3, seed=1) == []


def test_scripts_are_told_apart() -> None:
    assert [script(piece.encode()) for piece in ("a", " я", "日", "7", "")] == [
        "LATIN", "CYRILLIC", "CJK", "none", "none",
    ]  # fmt: skip


def test_the_instruction_is_asked_where_the_file_has_a_template(compiled: Library, tmp_path: Path) -> None:
    with Model(compiled, parrot(tmp_path / "chat.gguf", MUTE, chat_template=CHATML)) as model:
        found, reasons = elicitation_prompts.available(model)
        assert (list(found), reasons) == (list(elicitation_prompts.NAMES), [])
        prompt = model.vocabulary.detokenize(found["instruction"].fill(FIRST + 20)).replace("▁".encode(), b" ")
        assert b'else: " w20"<|im_end|>\n<|im_start|>assistant\n"' in prompt


def test_a_template_that_fails_leaves_the_instruction_out_and_says_why(compiled: Library, tmp_path: Path) -> None:
    with Model(compiled, parrot(tmp_path / "chat.gguf", MUTE, chat_template="{{ nonsense")) as model:
        found, reasons = elicitation_prompts.available(model)
        assert "instruction" not in found
        assert len(reasons) == 1 and "chat template" in reasons[0]
        with pytest.raises(PromptError, match="chat template"):
            elicitation_prompts.chosen(model, ["instruction"])


def test_a_prompt_that_the_context_cannot_hold_is_left_out(compiled: Library, tmp_path: Path) -> None:
    with Model(compiled, parrot(tmp_path / "short.gguf", MUTE, context=100)) as model:
        found, reasons = elicitation_prompts.available(model)
        assert "repetition" in found and "echo" not in found
        assert any("echo" in reason and "context" in reason for reason in reasons)


@pytest.mark.parametrize("names", [[], ["echo", "shout"]])
def test_a_shape_that_is_none_is_refused(bundled: Model, names: list[str]) -> None:
    with pytest.raises(UsageError, match="`shapes`"):
        elicitation_prompts.chosen(bundled, names)
