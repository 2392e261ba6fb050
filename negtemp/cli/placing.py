"""What `centroid` does: open the vocabulary and the weights, gather the sets of tokens to place, order the records.

The weights are read by `model.weights`; llama.cpp loads only the vocabulary, unless a run has to be answered by greedy
tokens of its own prompts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from negtemp.errors import RecordError
from negtemp.experiments import centroid as experiment
from negtemp.experiments.generate import generate
from negtemp.experiments.settings import Settings
from negtemp.model import library, source
from negtemp.model.engine import Engine
from negtemp.model.loaded import Model
from negtemp.model.weights import Weights
from negtemp.records import Completion, Record
from negtemp.runs import emitted as runs
from negtemp.runs.emitted import Emitted
from negtemp.theory.temperature import Temperature
from negtemp.views import console

GIVEN = "given"
_ABOVE_ZERO = Temperature.of(0.001)
_MOST_PROMPTS, _MOST_TOKENS = 8, 40

Set = tuple[str, list[int]]


def read(run: Path | None) -> Emitted | None:
    """The run to place, if one is meant. Raises RecordError."""
    return None if run is None else runs.read(run)


def model_path(model: Path | None, emitted: Emitted | None) -> Path:
    """The model meant: the one named, or that of the run, or the bundled one. Raises ModelError."""
    if model is None and emitted is not None:
        model = Path(str(emitted.header.model["file"]))
    return source.resolve(model)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Engine, Weights]]:
    """An engine that knows the vocabulary only, and the weights. Raises EngineError and ModelError."""
    proved = library.load()
    with Model(proved, path, vocabulary_only=True) as model, Weights(proved, path) as weights:
        yield Engine(model), weights


@dataclass(frozen=True)
class Work:
    """One measurement; `top` tokens at each end are listed, or every token where `everything` is wanted."""

    engine: Engine
    weights: Weights
    top: int
    everything: bool
    seed: int
    threads: int | None

    def sets(
        self, given: Sequence[int], emitted: Emitted | None, full: Callable[[], AbstractContextManager[Engine]]
    ) -> list[Set]:
        """What to place, the control of random hidden states last; nothing where nothing is given.

        Where a run has nothing above zero, `full` opens the whole model and greedy tokens of its prompts are the
        control. Raises RecordError for a run of another vocabulary.
        """
        found: list[Set] = [(GIVEN, list(given))] if given else []
        if emitted is not None:
            self._check(emitted)
            by_temperature = emitted.by_temperature()
            found += [(console.temperature(at), token_ids) for at, token_ids in by_temperature.items()]
            if not any(at.beta > 0 for at in by_temperature):
                with full() as engine:
                    found.insert(0, _above_zero(engine, emitted))
        if found:
            argmins = experiment.random_argmins(self.weights, self.engine.model.vocabulary.size, self.seed)
            found.append((experiment.RANDOM_STATES, argmins))
        return found

    def _check(self, emitted: Emitted) -> None:
        size = self.engine.model.vocabulary.size
        if emitted.header.model["vocabulary"] != size:
            raise RecordError(
                f"the run is of a model of {emitted.header.model['vocabulary']} tokens and this one has {size}; "
                "give the model of the run with --model"
            )

    def records(self, sets: Sequence[Set]) -> Iterator[Record]:
        """For each matrix its summary, the placements of all sets, then its tokens, nearest first."""
        vocabulary = self.engine.model.vocabulary
        category = experiment.categories(vocabulary)
        placed = {token_id for _, token_ids in sets for token_id in token_ids}
        for matrix in experiment.measured(self.weights, category, self.threads):
            yield experiment.summary(matrix, category)
            for name, token_ids in sets:
                yield from experiment.placements(matrix, name, token_ids, self.seed)
            order, ordinary = experiment.by_distance(matrix), experiment.by_distance(matrix, ordinary_only=True)
            if not self.everything:
                ends = {i for ids in (order, ordinary) for i in (*ids[: self.top], *ids[-self.top :])}
                order = [token_id for token_id in order if token_id in ends | placed]
            yield from experiment.tokens(matrix, vocabulary, category, order)


def _above_zero(engine: Engine, emitted: Emitted) -> Set:
    """The tokens after the run's prompts at T=+0.001, as many as the run has, within bounds."""
    longest = max(len(completion.token_ids) for completion in emitted.completions)
    settings = Settings(n_predict=min(longest, _MOST_TOKENS))
    records = generate(engine, emitted.prompts[:_MOST_PROMPTS], _ABOVE_ZERO, 1, settings)
    token_ids = [i for record in records if isinstance(record, Completion) for i in record.token_ids]
    return f"{console.temperature(_ABOVE_ZERO)}, same prompts", token_ids
