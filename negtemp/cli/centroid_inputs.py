"""What `centroid` does: open the vocabulary and the weights, and gather the sets of tokens to place.

The weights are read by `model.weights.tensors`; llama.cpp loads only the vocabulary, unless a run has to be answered by
greedy tokens of its own prompts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from negtemp.cli import session
from negtemp.errors import RecordError
from negtemp.experiments import centroid as experiment
from negtemp.experiments.centroid import Set
from negtemp.experiments.generate import generate
from negtemp.experiments.settings import Settings
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.references.found import Found
from negtemp.model.weights.tensors import Weights
from negtemp.records import Completion
from negtemp.runs.reading import Emitted, read_emitted
from negtemp.theory.temperature import Temperature
from negtemp.views import console

GIVEN = "given"
_ABOVE_ZERO = Temperature.of(0.001)
_MOST_PROMPTS, _MOST_TOKENS = 8, 40

Opener = Callable[[], AbstractContextManager[Engine]]


def read(run: Path | None) -> Emitted | None:
    """The run to place, if one is meant. Raises RecordError."""
    return None if run is None else read_emitted(run)


def model_found(model: str | None, emitted: Emitted | None) -> Found:
    """The model meant: the one named, or that of the run, or the bundled one. Raises UsageError, ModelError."""
    if model is None and emitted is not None:
        model = emitted.header.model.file
    return model_file.find(model)


@contextmanager
def opened(found: Found) -> Iterator[tuple[Engine, Weights]]:
    """An engine that knows the vocabulary only, and the weights. Raises EngineError and ModelError."""
    with session.opened(found, vocabulary_only=True) as model, Weights(model.library, model.path) as weights:
        yield Engine(model), weights


def sets(
    weights: Weights, vocab: int, named: Sequence[int], emitted: Emitted | None, seed: int, full: Opener
) -> list[Set]:
    """What to place, the control of random hidden states last; nothing where nothing is given.

    Where a run has nothing above zero, `full` opens the whole model and greedy tokens of its prompts are the control.
    Raises RecordError for a run of another vocabulary.
    """
    found: list[Set] = [(GIVEN, named)] if named else []
    if emitted is not None:
        _check(emitted, vocab)
        found += _emitted(emitted, full)
    return [*found, (experiment.RANDOM_STATES, experiment.random_argmins(weights, vocab, seed))] if found else []


def _check(emitted: Emitted, vocab: int) -> None:
    of_run = emitted.header.model.vocabulary
    if of_run != vocab:
        raise RecordError(
            f"the run is of a model of {of_run} tokens and this one has {vocab}; give the run's own with --model"
        )


def _emitted(emitted: Emitted, full: Opener) -> list[Set]:
    """The tokens of each temperature; those above zero are the control, from the run or made now."""
    by_temperature = emitted.by_temperature()
    found: list[Set] = [(console.temperature(at), token_ids) for at, token_ids in by_temperature.items()]
    if any(at.beta > 0 for at in by_temperature):
        return found
    with full() as engine:
        return [_above_zero(engine, emitted), *found]


def _above_zero(engine: Engine, emitted: Emitted) -> Set:
    """The tokens after the run's prompts at T=+0.001, as many as the run has, within bounds."""
    longest = max(len(completion.token_ids) for completion in emitted.completions)
    settings = Settings(n_predict=min(longest, _MOST_TOKENS))
    records = generate(engine, emitted.prompts[:_MOST_PROMPTS], _ABOVE_ZERO, 1, settings)
    token_ids = [i for record in records if isinstance(record, Completion) for i in record.token_ids]
    return f"{console.temperature(_ABOVE_ZERO)}, same prompts", token_ids
