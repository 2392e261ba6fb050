"""Whole generations: each sequence of a batch is what it is alone, and every figure is what float64 says it is."""

import ctypes
import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from negtemp.errors import ModelError, PromptError
from negtemp.experiments.generate import compare, generate
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine, Request
from negtemp.model.engine.request import Filters
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Step
from negtemp.theory.temperature import Temperature

PROMPT = "Temperature is a concept"
TOKENS = 12
# batch size moves the last bits of the logits; below this gap another token may win
CLOSE_NATS = 0.01


def completions(records: Sequence[Step | Completion]) -> list[Completion]:
    """The completions among records, by sequence."""
    return sorted((r for r in records if isinstance(r, Completion)), key=lambda completion: completion.sequence)


def steps(records: Sequence[Step | Completion]) -> dict[int, list[Step]]:
    """The steps of each sequence."""
    found: defaultdict[int, list[Step]] = defaultdict(list)
    for record in records:
        if isinstance(record, Step):
            found[record.sequence].append(record)
    return found


def one(
    engine: Engine, temperature: Temperature, seed: int = 1, prompt: str = PROMPT, **settings: object
) -> list[Step]:
    """The steps of one sequence alone."""
    return steps(list(generate(engine, [prompt], temperature, seed, Settings(**settings))))[0]  # type: ignore[arg-type]


def certain(path: Sequence[Step]) -> list[int]:
    """Token ids up to the first whose choice hangs on rounding."""
    return [step.token_id for step in itertools.takewhile(lambda step: step.gap > CLOSE_NATS, path)]


def test_a_sequence_of_a_batch_takes_the_path_that_it_takes_alone(engine: Engine) -> None:
    at = [Temperature.of(t) for t in (0.001, -0.001, 0.0)] + [Temperature.of_beta(-np.inf)]
    batch = steps(list(compare(engine, [PROMPT, "In the beginning"], at, [1], Settings(n_predict=TOKENS))))
    for sequence, (prompt, temperature) in enumerate(itertools.product([PROMPT, "In the beginning"], at)):
        path = certain(one(engine, temperature, prompt=prompt, n_predict=TOKENS))
        assert [step.token_id for step in batch[sequence]][: len(path)] == path


def test_the_same_seed_draws_the_same_tokens_and_another_seed_others(engine: Engine) -> None:
    at = Temperature.of(-1.0)
    first, again, other = (one(engine, at, seed, n_predict=TOKENS) for seed in (1, 1, 2))
    assert [step.token_id for step in first] == [step.token_id for step in again]
    assert [step.token_id for step in first] != [step.token_id for step in other]


def logits_after(model: Model, token_ids: Sequence[int]) -> NDArray[np.float64]:
    """Logits from a decode of our own: one call, one batch, no code of negtemp's."""
    api = model.library.api
    params = api.llama_context_default_params()
    params.n_ctx = 256
    context = api.llama_init_from_model(model.handle, params)
    tokens = (ctypes.c_int32 * len(token_ids))(*token_ids)
    assert api.llama_decode(context, api.llama_batch_get_one(tokens, len(token_ids))) == 0
    row = np.ctypeslib.as_array(api.llama_get_logits_ith(context, -1), shape=(model.vocabulary.size,))
    copied = row.astype(np.float64)
    api.llama_free(context)
    return copied


@pytest.mark.parametrize("temperature", [1.0, -1.0, -0.001])
def test_logprob_rank_and_entropy_are_of_the_models_own_distribution(engine: Engine, temperature: float) -> None:
    context = engine.model.vocabulary.tokenize(PROMPT)
    for step in one(engine, Temperature.of(temperature), n_predict=6, ignore_eos=True, top_k=500):
        z = logits_after(engine.model, context)
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        assert step.logprob == pytest.approx(np.log(p[step.token_id]), abs=0.02)
        assert step.entropy == pytest.approx(-(p * np.log(p)).sum(), abs=0.02)
        near = np.count_nonzero(np.abs(z - z[step.token_id]) < CLOSE_NATS)
        assert abs(step.rank - np.count_nonzero(z > z[step.token_id])) <= near
        context.append(step.token_id)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_limits_take_the_extreme_token(engine: Engine, sign: int) -> None:
    context = engine.model.vocabulary.tokenize(PROMPT)
    z = logits_after(engine.model, context)
    step = one(engine, Temperature.of_beta(sign * np.inf), n_predict=1)[0]
    assert sign * z[step.token_id] >= sign * (z.max() if sign > 0 else z.min()) - CLOSE_NATS
    assert step.sampled_logprob == 0.0


def test_top_k_comes_before_an_inverted_temperature(engine: Engine) -> None:
    """The least likely of the five most likely, at a temperature where no gap is too close to decide."""
    assert [step.rank for step in one(engine, Temperature.of(-1e-9), n_predict=TOKENS, top_k=5)] == [4] * TOKENS


@pytest.mark.parametrize("temperature", [1.0, -1.0, -0.001])
def test_a_masked_category_is_never_drawn(engine: Engine, temperature: float) -> None:
    path = one(engine, Temperature.of(temperature), n_predict=60, mask=("byte", "control", "unknown"))
    assert {engine.model.vocabulary.category(step.token_id) for step in path} == {"normal"}


def run_masked(engine: Engine, allowed: set[int], **options: int) -> list[Step | Completion]:
    """A generation that may draw only the allowed ids."""
    mask = tuple(i for i in range(engine.model.vocabulary.size) if i not in allowed)
    prompt = tuple(engine.model.vocabulary.tokenize(PROMPT))
    return list(engine.generate([Request(0, PROMPT, prompt, Temperature.of(-1), filters=Filters(mask), **options)]))


def test_an_end_token_stops_the_generation_and_is_no_text(engine: Engine) -> None:
    end = set(engine.model.vocabulary.end_tokens)
    done = completions(run_masked(engine, end))[0]
    assert (done.stop, len(done.token_ids), done.text) == ("eog", 1, "")
    assert done.tokens_per_second is None


def test_ignoring_the_end_never_draws_it(engine: Engine) -> None:
    path = one(engine, Temperature.of(-0.001), n_predict=60, ignore_eos=True)
    assert len(path) == 60
    assert not {step.token_id for step in path} & engine.model.vocabulary.end_tokens


def test_the_length_stops_the_generation(engine: Engine) -> None:
    done = completions(run_masked(engine, {300}, n_predict=7))[0]
    assert (done.stop, done.token_ids) == ("length", (300,) * 7)
    assert done.distinct == pytest.approx(1 / 7)


def test_the_context_stops_the_generation(engine: Engine) -> None:
    prompt = len(engine.model.vocabulary.tokenize(PROMPT))
    done = completions(run_masked(engine, {300}, n_predict=100, ctx_size=prompt + 5))[0]
    assert (done.stop, len(done.token_ids)) == ("context", 5)


def test_a_prompt_longer_than_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(PromptError, match="`ctx_size`"):
        one(engine, Temperature.of(1.0), prompt="word " * 100, ctx_size=50)


def test_a_prompt_of_many_pieces_is_decoded_whole(engine: Engine) -> None:
    """Longer than one decode takes: the logits after it are those of a single decode of our own."""
    prompt = "The temperature of a gas tells us how fast its molecules move. " * 8
    token_ids = engine.model.vocabulary.tokenize(prompt)[:250]
    request = Request(0, prompt, tuple(token_ids), Temperature.of(0.0), n_predict=1)
    step = next(r for r in engine.generate([request]) if isinstance(r, Step))
    z = logits_after(engine.model, token_ids)
    assert z[step.token_id] >= z.max() - CLOSE_NATS


def test_a_mask_of_everything_is_refused(engine: Engine) -> None:
    with pytest.raises(ModelError, match="mask"):
        run_masked(engine, set())


def test_a_prompt_of_no_token_is_refused(engine: Engine) -> None:
    with pytest.raises(PromptError, match="no token"):
        list(engine.generate([Request(0, "", (), Temperature.of(1.0))]))


def test_the_means_are_means_over_the_steps(engine: Engine) -> None:
    records = list(generate(engine, [PROMPT], Temperature.of(-1.0), 1, Settings(n_predict=TOKENS)))
    path, done = steps(records)[0], completions(records)[0]
    assert done.mean_logprob == pytest.approx(np.mean([step.logprob for step in path]))
    assert done.mean_rank == pytest.approx(np.mean([step.rank for step in path]))
    assert done.token_ids == tuple(step.token_id for step in path)
