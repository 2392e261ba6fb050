"""The Python face: load a model, generate, compare, sweep, audit. The same records as the command line, no printing.

It leaves out nothing that the experiments offer and adds nothing to them; it only opens and closes.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from negtemp.errors import UsageError
from negtemp.experiments import centroid as centroids
from negtemp.experiments import emitted_tokens, shapes
from negtemp.experiments import sweep as sweeping
from negtemp.experiments.audit import AuditSettings, audit
from negtemp.experiments.compare import TEMPERATURES, compare
from negtemp.experiments.generate import generate
from negtemp.experiments.prompts import PROMPTS
from negtemp.experiments.repeat import RepeatSettings, repeat
from negtemp.experiments.reproduce import Plan as Experiment
from negtemp.experiments.reproduce import Result, reproduce
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.experiments.spectrum import BETAS, RULERS, spectrum
from negtemp.experiments.sweep import SweepPlan
from negtemp.model import library, model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import ALL_LAYERS, Model
from negtemp.model.tokens import lookup
from negtemp.model.weights.tensors import Weights
from negtemp.records import (
    Audit,
    AuditToken,
    Completion,
    Failure,
    MatrixGeometry,
    Placement,
    Repetition,
    Spectrum,
    Step,
    Thermo,
    TokenGeometry,
    Trial,
)  # fmt: skip
from negtemp.runs.sweeping import saved
from negtemp.theory.temperature import GREEDY, Temperature


def load(
    model: str | os.PathLike[str] | None = None, *, n_gpu_layers: int = ALL_LAYERS, threads: int | None = None
) -> "LoadedModel":
    """Load a GGUF file, or the bundled model. Raises EngineError (library missing or unpatched), ModelError."""
    return LoadedModel(Engine(Model(library.load(), model_file.resolve(model), n_gpu_layers), threads))


class LoadedModel:
    """A model ready to generate. Use it as a context manager, or call `close`.

    Keywords beyond those named are `Settings`: n_predict, ctx_size, mask, ignore_eos, top_k, top_p, min_p,
    repeat_penalty.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def generate(
        self, *prompts: str, temperature: float | None = None, beta: float | None = None, seed: int = 1, **settings: Any
    ) -> Iterator[Step | Completion]:
        """Steps as they come and a Completion for each prompt. Raises UsageError, PromptError, DecodeError."""
        at = _temperature(temperature, beta)
        return generate(self.engine, prompts or (PROMPT,), at, seed, Settings(**settings))

    def complete(self, prompt: str = PROMPT, **options: Any) -> Completion:
        """The one Completion of a prompt; options are those of `generate`."""
        return next(r for r in self.generate(prompt, **options) if isinstance(r, Completion))

    def compare(
        self, *prompts: str, temperatures: Sequence[float] = (), seeds: Sequence[int] = (1,), **settings: Any
    ) -> Iterator[Step | Completion]:
        """Every prompt and seed at every temperature (default: +0.001 and -0.001), decoded together."""
        at = [Temperature.of(value) for value in temperatures] or TEMPERATURES
        return compare(self.engine, prompts or (PROMPT,), at, seeds, Settings(**settings))

    def sweep(
        self, *prompts: str, temperatures: Sequence[float] = (), betas: Sequence[float] = (),
        seeds: Sequence[int] = (1,), repeats: int = 1, output: str | os.PathLike[str] | None = None,
        parallel: int | None = None, deterministic: bool = False, steps: bool = False, **settings: Any,
    ) -> Iterator[Step | Completion | Failure]:  # fmt: skip
        """A Completion, or a Failure with the reason, for each prompt, temperature (default: 21 betas from -1000
        through 0 to 1000), seed and repeat, in order of completion; with `steps`, its Steps right before it.

        With `output` each is saved in that run directory before it comes, and what is there already comes first.
        Raises UsageError, DecodeError, OutputError, RecordError.
        """
        at = [*map(Temperature.of, temperatures), *map(Temperature.of_beta, betas)] or sweeping.TEMPERATURES
        plan = SweepPlan(
            prompts or (PROMPT,), tuple(at), tuple(seeds), repeats, Settings(**settings), deterministic, steps
        )
        shape = sweeping.batch_shape(self.engine, plan, parallel)
        if output is None:
            return sweeping.sweep(self.engine, plan, shape)
        return saved(self.engine, plan, shape, Path(output))

    def spectrum(
        self, *prompts: str, betas: Sequence[float] = BETAS, rulers: int = RULERS, along: int = 0,
        temperature: float | None = None, beta: float | None = None, seed: int = 1, **settings: Any,
    ) -> Iterator[Thermo | Spectrum]:  # fmt: skip
        """A Thermo at each beta and then a Spectrum, for the distribution after each prompt.

        With `along` the same at each of so many tokens more, drawn at `temperature` or `beta` (default: greedy).
        """
        at = GREEDY if temperature is None and beta is None else _temperature(temperature, beta)
        return spectrum(
            self.engine, prompts or (PROMPT,), Settings(**settings), betas=betas, rulers=rulers, along=along,
            temperature=at, seed=seed,
        )  # fmt: skip

    def repeat(self, *tokens: str | int, limit: int = 20, **asking: Any) -> Iterator[Trial | Repetition]:
        """A Trial for each token, given by its text or id, and for its controls, and then a Repetition.

        Without tokens, the `limit` most frequent of what the model emits below zero. `asking` are `RepeatSettings`'
        fields: controls, samples, seed, counts. Raises UsageError for a text that is no token, ModelError, PromptError.
        """
        vocabulary, how = self.engine.model.vocabulary, RepeatSettings(**asking)
        ids = [lookup.token_id(vocabulary, token) if isinstance(token, str) else token for token in tokens]
        ids = ids or emitted_tokens.candidates(vocabulary, emitted_tokens.below_zero(self.engine, how.seed), limit)
        return repeat(self.engine, ids, shapes.available(self.engine.model)[0], how)

    def reproduce(self, *prompts: str, **plan: Any) -> Iterator[Result]:
        """The article's experiment: every record of it, and a ClaimVerdict for each claim at the end.

        `plan` are `reproduce.Plan`'s fields: n_predict, seed, asked, controls, counts.
        """
        return reproduce(self.engine, Experiment(**plan), prompts or PROMPTS)

    def centroid(
        self, *tokens: str | int, top: int | None = None, seed: int = 0
    ) -> Iterator[MatrixGeometry | Placement | TokenGeometry]:
        """Around the centroids of embedding and unembedding: every token, nearest first, or `top` at each end.

        Tokens, given by text or id, are placed beside those that are least likely after random hidden states. Raises
        UsageError for a text that is no token, ModelError.
        """
        model = self.engine.model
        token_ids = [lookup.token_id(model.vocabulary, t) if isinstance(t, str) else t for t in tokens]
        with Weights(model.library, model.path) as weights:
            sets: list[centroids.Set] = []
            if token_ids:
                argmins = centroids.random_argmins(weights, model.vocabulary.size, seed)
                sets = [("given", token_ids), (centroids.RANDOM_STATES, argmins)]
            yield from centroids.centroid(weights, model.vocabulary, sets, top, seed, self.engine.threads)

    def audit(self, **settings: Any) -> Iterator[AuditToken | Audit]:
        """Every token of the vocabulary from the most suspect on, then the Audit as a whole.

        `settings` are `AuditSettings`' fields: candidates, exhaustive, verify, seed. Raises ModelError, DecodeError.
        """
        model = self.engine.model
        with Weights(model.library, model.path) as weights:
            yield from audit(self.engine, weights, AuditSettings(**settings))

    def close(self) -> None:
        """Free the model's memory."""
        self.engine.model.close()

    def __enter__(self) -> "LoadedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _temperature(temperature: float | None, beta: float | None) -> Temperature:
    if temperature is not None and beta is not None:
        raise UsageError("temperature and beta are two answers to one question; give one of them")
    if beta is not None:
        return Temperature.of_beta(beta)
    return Temperature.of(-0.001 if temperature is None else temperature)
