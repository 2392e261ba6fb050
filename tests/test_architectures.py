"""Models that are no LLaMA: their numbers are those of one token at a time, or they are refused in one line."""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import architectures
import gguf
import numpy as np
import pytest
from models import EPSILON, add_tokenizer, close, spm_vocabulary, write_llama
from numpy.typing import NDArray

from negtemp.errors import ModelError, UsageError
from negtemp.model.engine.engine import BatchShape, Engine, Request
from negtemp.model.engine.prompt_logits import score
from negtemp.model.library import Library
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Step
from negtemp.theory.boltzmann import log_probabilities
from negtemp.theory.temperature import Temperature

# batch shape and flash attention move the logits by this much
CLOSE_NATS = 0.05
VOCABULARY = spm_vocabulary([b" " + bytes([97 + i, 97 + j]) for i in range(16) for j in range(16)])


@pytest.fixture(scope="module", params=architectures.ARCHITECTURES)
def model(
    request: pytest.FixtureRequest, compiled: Library, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Model]:
    """A random model of each architecture."""
    path = tmp_path_factory.mktemp("models") / f"{request.param}.gguf"
    with Model(compiled, architectures.write(path, request.param, VOCABULARY)) as loaded:
        yield loaded


def prompts() -> list[tuple[int, ...]]:
    """Prompts of which some share beginnings; all but one are longer than gemma3's window."""
    rng = random.Random(1)
    beginning = (1, *rng.choices(range(259, 515), k=3 * architectures.WINDOW))
    ends = (20, 30, 49, 49)
    return [beginning[:5], *((*beginning[:end], *rng.choices(range(259, 515), k=3)) for end in ends)]


def one_at_a_time(model: Model, token_ids: Sequence[int], first: int) -> list[NDArray[np.float64]]:
    """Natural log-probabilities `[vocab]` after each token from number `first` on, decoded alone, token by token."""
    with Context(model, 1, len(token_ids)) as context:
        rows = [context.step([(token_id, position, 0)])[0].copy() for position, token_id in enumerate(token_ids)]
    return [log_probabilities(row.astype(np.float64)) for row in rows[first:]]


@pytest.mark.parametrize(("slots", "cells"), [(1, 128), (4, 600)], ids=str)
def test_every_step_is_what_the_model_says_token_by_token(model: Model, slots: int, cells: int) -> None:
    """Prompts are shared, sequences enter and leave."""
    asked = [
        Request(number, "", prompt, Temperature.of(t), number, 6 + number % 3, 4096)
        for number, (prompt, t) in enumerate(itertools.product(prompts(), (0.001, -0.001, -1.0)))
    ]
    steps: defaultdict[int, list[Step]] = defaultdict(list)
    for record in Engine(model, 1).stream(asked, BatchShape(slots, cells)):
        if isinstance(record, Step):
            steps[record.sequence].append(record)
        else:
            assert isinstance(record, Completion)
    for request in asked:
        path = steps[request.sequence]
        told = one_at_a_time(
            model, [*request.prompt_token_ids, *(s.token_id for s in path[:-1])], len(request.prompt_token_ids) - 1
        )
        for step, log_p in zip(path, told, strict=True):
            assert step.logprob == pytest.approx(log_p[step.token_id], abs=CLOSE_NATS)
            if request.temperature.temperature == -0.001:
                assert log_p[step.token_id] <= log_p.min() + CLOSE_NATS


@pytest.mark.parametrize("last", [1, None])
def test_scores_of_prompts_that_share_a_beginning_are_those_of_each_alone(model: Model, last: int | None) -> None:
    asked = prompts()
    rows = {(row.prompt, row.position): row.logits for row in score(model, asked, last=last, sequences=4, threads=1)}
    for number, prompt in enumerate(asked):
        first = 0 if last is None else len(prompt) - 1
        for position, log_p in enumerate(one_at_a_time(model, prompt, first), start=first):
            found = log_probabilities(rows.pop((number, position)).astype(np.float64))
            np.testing.assert_allclose(found, log_p, atol=CLOSE_NATS)
    assert not rows


def test_short_sequences_keep_their_angles_however_many_share_the_cache(compiled: Library, tmp_path: Path) -> None:
    """LongRoPE: llama.cpp turns by other angles once the cache holds more than 256 cells, whatever the sequences."""
    path = write_llama(tmp_path / "longrope.gguf", VOCABULARY, short_context=256, context=4096)
    with Model(compiled, path) as model:
        rng = random.Random(2)
        asked = [
            Request(n, "", (1, *rng.choices(range(259, 515), k=40)), Temperature.of(-0.001), n, 12, 4096)
            for n in range(8)
        ]
        engine = Engine(model, 1)
        together = {r.sequence: r for r in engine.generate(asked) if isinstance(r, Completion)}
        for request in asked:
            alone = next(r for r in engine.generate([request]) if isinstance(r, Completion))
            assert together[request.sequence].mean_logprob == pytest.approx(alone.mean_logprob, abs=CLOSE_NATS)
        assert engine.batch_shape(8, 3000, longest=100).cells == 256
        assert engine.batch_shape(8, 3000, longest=300).cells >= 3000


def fill(writer: gguf.GGUFWriter, architecture: str, fields: Mapping[str, int]) -> None:
    """Hyperparameters and a vocabulary, which is all that a model is refused by."""
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_layer_norm_eps(EPSILON)
    for name, value in fields.items():
        writer.add_uint32(f"{architecture}.{name}", value)
    add_tokenizer(writer, VOCABULARY)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("t5", "has an encoder"), ("dream", "is a diffusion model"), ("llama-embed", "is an embedding model"),
        ("gemma-embedding", "is an embedding model"), ("cogvlm", "gets wrong in batches"),
        ("plamo2", "gets wrong in batches"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_by_its_architecture(
    compiled: Library, tmp_path: Path, architecture: str, reason: str
) -> None:
    """No such file need say that its attention looks ahead."""
    fields = {
        "attention.sliding_window": 16, "attention.relative_buckets_count": 8, "ssm.conv_kernel": 4,
        "ssm.inner_size": 64, "ssm.state_size": 8, "ssm.time_step_rank": 2, "ssm.group_count": 0,
    }  # fmt: skip
    writer = gguf.GGUFWriter(tmp_path / "head.gguf", architecture)
    fill(writer, architecture, fields)
    close(writer)
    with pytest.raises(ModelError, match=reason):
        Model(compiled, tmp_path / "head.gguf", vocabulary_only=True)


def test_a_context_beyond_learned_positions_is_refused(compiled: Library, tmp_path: Path) -> None:
    """llama.cpp would abort, or read what lies beyond the table."""
    writer = gguf.GGUFWriter(tmp_path / "gpt2.gguf", "gpt2")
    fill(writer, "gpt2", {})
    shapes: architectures.Shapes = {"token_embd.weight": (len(VOCABULARY), 32), "position_embd.weight": (64, 32)}
    shapes |= {f"output_norm.{kind}": (32,) for kind in ("weight", "bias")}
    for layer in ("blk.0", "blk.1"):
        for name, rows, columns in (
            ("attn_qkv", 96, 32),
            ("attn_output", 32, 32),
            ("ffn_up", 64, 32),
            ("ffn_down", 32, 64),
        ):
            shapes |= {f"{layer}.{name}.weight": (rows, columns), f"{layer}.{name}.bias": (rows,)}
        for name in ("attn_norm", "ffn_norm"):
            shapes |= {f"{layer}.{name}.{kind}": (32,) for kind in ("weight", "bias")}
    for name, shape in shapes.items():
        writer.add_tensor(name, np.ones(shape, np.float32))
    close(writer)
    with Model(compiled, tmp_path / "gpt2.gguf") as model:
        assert model.context(None) == model.context(64) == 64
        with pytest.raises(UsageError, match="learned 64 positions"):
            model.context(65)
