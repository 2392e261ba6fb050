"""A queue through a few slots: every result is what it is alone, whatever waits, ends, is shared, padded or refused."""

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import spm_vocabulary, write_llama

from negtemp.errors import DecodeError
from negtemp.model import kernel
from negtemp.model.engine.decode_timing import DecodeTiming
from negtemp.model.engine.engine import BatchShape, Drawer, Engine, Request
from negtemp.model.engine.request import Filters
from negtemp.model.library import Library
from negtemp.model.llama.context import Context, Logits
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Failure, Step
from negtemp.theory.temperature import Temperature

# batch shape moves the last bits of the logits; below this gap another token may win
CLOSE_NATS = 0.01
WORDS = [b" " + bytes([65 + i, 97 + j]) for i in range(16) for j in range(16)]


@pytest.fixture(scope="module")
def engine(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine on a small random model."""
    path = write_llama(tmp_path_factory.mktemp("models") / "random.gguf", spm_vocabulary(WORDS), context=4096)
    with Model(compiled, path) as model:
        yield Engine(model)


def request(
    sequence: int, prompt: Sequence[int], t: float = -0.001, n: int = 8, seed: int = 1, ctx_size: int = 512
) -> Request:
    """A request of its own number."""
    return Request(sequence, str(prompt), tuple(prompt), Temperature.of(t), seed, n, ctx_size)


def requests(count: int, seed: int = 0) -> list[Request]:
    """PrefixCache of several lengths that share beginnings, at several temperatures, of several lengths."""
    rng = random.Random(seed)
    beginning = [1, *(rng.randrange(259, 515) for _ in range(30))]
    prompts = [[*beginning[: rng.randrange(1, 31)], *rng.choices(range(259, 515), k=3)] for _ in range(4)]
    return [
        request(i, prompts[i % 4], rng.choice([0.001, -0.001, -1.0, 0.7]), rng.randrange(1, 12), seed=i)
        for i in range(count)
    ]


def paths(records: Sequence[Step | Completion | Failure]) -> dict[int, list[Step]]:
    """The steps of each sequence."""
    found: defaultdict[int, list[Step]] = defaultdict(list)
    for record in records:
        if isinstance(record, Step):
            found[record.sequence].append(record)
    return found


def certain(path: Sequence[Step]) -> list[int]:
    """Token ids up to the first whose choice hangs on rounding."""
    return [step.token_id for step in itertools.takewhile(lambda step: step.gap > CLOSE_NATS, path)]


@pytest.mark.parametrize(("slots", "cells"), [(1, 64), (3, 256), (3, 64), (8, 1024)], ids=str)
def test_each_of_many_requests_is_what_it_is_alone(engine: Engine, slots: int, cells: int) -> None:
    """With 64 cells and three slots the cache is full again and again, and requests wait."""
    asked = requests(24)
    records = list(engine.stream(asked, BatchShape(slots, cells)))
    assert sorted(r.sequence for r in records if isinstance(r, Completion)) == list(range(24))
    together = paths(records)
    for one in asked:
        alone = paths(list(engine.generate([one])))[one.sequence]
        if abs(one.temperature.temperature) == 0.001:
            path = certain(alone)
            assert [step.token_id for step in together[one.sequence]][: len(path)] == path
        assert together[one.sequence][0].entropy == pytest.approx(alone[0].entropy, abs=1e-2)


def test_alone_nothing_depends_on_the_order_to_the_last_bit(engine: Engine) -> None:
    asked = requests(12)
    first, second = (
        paths(list(engine.stream(order, BatchShape(1, 64, alone=True))))
        for order in (asked, random.Random(1).sample(asked, 12))
    )
    assert first == second


def test_requests_are_taken_only_as_slots_fall_free(engine: Engine) -> None:
    taken = 0

    def endless() -> Iterator[Request]:
        nonlocal taken
        for taken in itertools.count(1):
            yield request(taken, [1, 300], n=2)

    stream = engine.stream(endless(), BatchShape(4, 256))
    done = itertools.islice((r for r in stream if isinstance(r, Completion)), 40)
    assert len(list(done)) == 40
    assert taken <= 48
    stream.close()  # type: ignore[attr-defined]


def test_what_can_never_fit_is_a_failure_and_the_others_go_on(engine: Engine) -> None:
    asked = [
        request(0, [1, 300]), request(1, [1] * 400, n=100), request(2, []), request(3, [1] * 20, ctx_size=20),
        request(4, [1, 301]),
    ]  # fmt: skip
    records = list(engine.stream(asked, BatchShape(2, 256)))
    failures = {r.sequence: r.reason for r in records if isinstance(r, Failure)}
    assert sorted(r.sequence for r in records if isinstance(r, Completion)) == [0, 4]
    assert "256 cells" in failures[1] and "no token" in failures[2] and "`ctx_size`" in failures[3]


def test_a_long_prompt_is_decoded_in_pieces_and_its_beginning_shared(engine: Engine) -> None:
    """Two prompts of more than two pieces that part in the last: logits as of a decode without any sharing."""
    rng = random.Random(2)
    beginning = [1, *rng.choices(range(259, 515), k=1100)]
    prompts = [[*beginning, 300, 301], [*beginning, 302]]
    records = list(
        engine.stream([request(i, p, n=1, ctx_size=4096) for i, p in enumerate(prompts)], BatchShape(2, 2304))
    )
    together = paths(records)
    for sequence, prompt in enumerate(prompts):
        with Context(engine.model, 1, len(prompt)) as context:
            z = context.prompt(prompt, 0).astype(np.float64)
        step = together[sequence][0]
        assert z[step.token_id] <= z.min() + CLOSE_NATS
        assert len([r for r in records if isinstance(r, Completion)]) == 2


def test_padding_changes_no_row_and_leaves_no_cell_behind(engine: Engine) -> None:
    with Context(engine.model, 2, 16) as bare, Context(engine.model, 2, 256, widest=4) as padded:
        for context in (bare, padded):
            for sequence in (0, 1):
                context.prompt([1, 300 + sequence], sequence)
        for position in range(2, 60):  # 4 rows each, were they kept, would overflow 256 cells
            step = [(310, position, 0), (311, position, 1)]
            rows = [row.copy() for row in padded.step(step, 4)]
            if position < 7:
                for ours, theirs in zip(rows, bare.step(step), strict=True):
                    np.testing.assert_allclose(ours, theirs, atol=1e-2)


def untimed(records: Sequence[Step | Completion | Failure]) -> list[Step | Completion | Failure]:
    """The same without the speed."""
    return [replace(one, tokens_per_second=None) if isinstance(one, Completion) else one for one in records]


@pytest.mark.parametrize("rows_of", [lambda live: live, lambda live: live + 3], ids=["bare", "padded"])
def test_a_step_in_one_call_is_a_decode_and_a_draw(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, rows_of: Callable[[int], int]
) -> None:
    """Masked, filtered or neither, while others enter and leave: the same records to the last bit."""
    if kernel.find(engine.model.library) is None:
        pytest.skip("the compiled loops are not here")
    monkeypatch.setattr(DecodeTiming, "rows", lambda _, live: rows_of(live))
    monkeypatch.setattr(DecodeTiming, "widest", lambda _, slots: rows_of(slots))
    filters = [Filters(), Filters(mask=(270, 300, 301)), Filters(), Filters(top_k=40)]
    # the last ones are filtered now and then: steps of both kinds, one after the other
    asked = [replace(one, filters=filters[one.sequence % (3 + one.sequence // 20)]) for one in requests(40)]
    calls, decode = itertools.count(), kernel.Steps.decode
    monkeypatch.setattr(kernel.Steps, "decode", lambda *given: next(calls) * 0 or decode(*given))
    shape = BatchShape(5, 1024)
    in_one_call = untimed(list(engine.stream(asked, shape)))
    assert next(calls) > 20
    monkeypatch.setattr(Drawer, "steps", lambda *_: None)
    assert in_one_call == untimed(list(engine.stream(asked, shape)))
    assert sum(isinstance(one, Completion) for one in in_one_call) == 40


def test_a_decode_that_begins_before_the_records_are_made_changes_none(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a device: sequences enter, end by their length and by a token, and their steps go ahead in between."""
    if kernel.find(engine.model.library) is None:
        pytest.skip("the compiled loops are not here")
    ends = frozenset(step.token_id for step in steps_of(engine, 40) if step.position == 7)
    monkeypatch.setitem(vars(engine.model.vocabulary), "end_tokens", ends)
    monkeypatch.setattr(DecodeTiming, "rows", lambda _, live: live)
    shape = BatchShape(5, 1024)
    asked = requests(40)
    one_by_one = untimed(list(engine.stream(asked, shape)))
    assert {record.stop for record in one_by_one if isinstance(record, Completion)} == {"eog", "length"}
    begun, decode = [], kernel.Steps.decode

    def told(steps: kernel.Steps, *given: Any) -> int:
        status = decode(steps, *given)
        begun.append(steps.begun)
        return status

    monkeypatch.setattr(kernel.Steps, "decode", told)
    monkeypatch.setattr(type(engine.model), "on_devices", True)
    assert untimed(list(engine.stream(asked, shape))) == one_by_one
    assert True in begun and False in begun


def steps_of(engine: Engine, count: int) -> list[Step]:
    return [record for record in engine.stream(requests(count), BatchShape(5, 1024)) if isinstance(record, Step)]


def test_who_stops_listening_to_steps_that_went_ahead_leaves_the_model_in_order(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(engine.model), "on_devices", True)
    stream = engine.stream(requests(3), BatchShape(3, 1024))
    assert len(list(itertools.islice(stream, 10))) == 10
    stream.close()  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert steps_of(engine, 3)


@pytest.fixture
def measured(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a first measurement of the decode times of up to 8 rows is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    DecodeTiming(engine.model, 1).widest(8)
    (kept,) = (tmp_path / "negtemp").glob("decode-timing-*")
    return kept


def test_decode_times_are_measured_once_and_kept(engine: Engine, measured: Path) -> None:
    before = measured.read_bytes()
    DecodeTiming(engine.model, 1).widest(8)
    assert measured.read_bytes() == before
    DecodeTiming(engine.model, 2).rows(2)
    assert len(list(measured.parent.glob("decode-timing-*"))) == 2


def test_rows_are_padded_only_where_that_takes_less_time(engine: Engine, measured: Path) -> None:
    """The figures of a 7B LLaMA: 478 ms for two rows and 333 for four; five and nine rows are better left alone."""
    measured.write_text('{"2": 0.478, "3": 0.6, "4": 0.333, "5": 0.5, "6": 0.7, "7": 0.9, "8": 0.6, "1": 0.264}')
    timing = DecodeTiming(engine.model, 1)
    assert [timing.rows(live) for live in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15)] == [1, 4, 4, 4, 5, 8, 8, 8, 9, 12, 16]
    assert (timing.widest(2), timing.widest(9)) == (4, 9)


@pytest.mark.parametrize("text", ["", "[]", '{"2": "fast"}', '{"2": 0.1', '{"2": null}'])
def test_kept_times_that_are_not_ours_are_measured_again(engine: Engine, measured: Path, text: str) -> None:
    measured.write_text(text)
    assert DecodeTiming(engine.model, 1).seconds(2) > 0


def test_a_home_that_cannot_be_written_does_not_matter(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert DecodeTiming(engine.model, 1).seconds(1) > 0


def test_a_user_without_a_home_does_not_matter(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert DecodeTiming(engine.model, 1).seconds(1) > 0


def test_closing_early_ends_quietly(engine: Engine) -> None:
    stream = engine.stream(requests(8), BatchShape(4, 256))
    next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_steps_come_while_the_generation_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws wait to be observed together, but not until the end."""
    decodes: list[int] = []
    step = Context.step

    def counted(self: Context, *arguments: Any, **options: Any) -> Sequence[Logits]:
        decodes.append(len(decodes))
        return step(self, *arguments, **options)

    monkeypatch.setattr(Context, "step", counted)
    filters = Filters(mask=tuple(engine.model.vocabulary.end_tokens))
    asked = Request(0, "word", (1, 5, 7), Temperature.of(-1.0), n_predict=200, ctx_size=256, filters=filters)
    records = engine.generate([asked])
    first = next(records)
    assert isinstance(first, Step) and first.position == 0
    assert len(decodes) < 150
    assert [record.position for record in records if isinstance(record, Step)] == list(range(1, 200))


def test_logits_that_are_no_numbers_are_a_failure(compiled: Library, tmp_path: Path) -> None:
    vocabulary = spm_vocabulary(WORDS)
    broken = np.ones((len(vocabulary), 32), np.float32)
    broken[300] = np.nan
    with Model(compiled, write_llama(tmp_path / "nan.gguf", vocabulary, unembedding=broken)) as model:
        asked = [request(number, [1, 300], t) for number, t in enumerate((0.001, -0.001, 1.0, -1.0, 0.0))]
        records = list(Engine(model).stream(asked, BatchShape(2, 256)))
        assert [type(record) for record in records] == [Failure] * 5
        with pytest.raises(DecodeError, match="not numbers"):
            list(Engine(model).generate(asked[:1]))
