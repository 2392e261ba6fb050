"""The Python face: load a model, generate, compare, sweep, audit. The same records as the command line, no printing.

It leaves out nothing that the experiments offer and adds nothing to them; it only opens and closes.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import UsageError
from negtemp.experiments import centroid as centroids
from negtemp.experiments import emitted_tokens
from negtemp.experiments import sweep as sweeping
from negtemp.experiments.audit import AuditSettings, audit
from negtemp.experiments.census import census
from negtemp.experiments.elicitation import Elicitor
from negtemp.experiments.emitted_tokens import PROMPTS
from negtemp.experiments.generate import TEMPERATURES, compare, generate
from negtemp.experiments.repeat import RepeatSettings, repeat
from negtemp.experiments.reproduce import ReproduceSettings, Result, reproduce
from negtemp.experiments.settings import PROMPT, Settings, SettingsOptions
from negtemp.experiments.spectrum import BETAS, RULERS, spectrum
from negtemp.experiments.sweep import SweepPlan
from negtemp.keywords import keywords
from negtemp.model import library, model_file, rpc
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.model.llama.model import ALL_LAYERS, Model
from negtemp.model.tokens import lookup
from negtemp.model.weights.tensors import Weights
from negtemp.printable import printable_path
from negtemp.records import (
    Audit,
    AuditToken,
    Census,
    Completion,
    Failure,
    MatrixGeometry,
    Placement,
    Plateau,
    Repetition,
    Spectrum,
    Step,
    Thermo,
    TokenGeometry,
    Trial,
)  # fmt: skip
from negtemp.runs.execution import Execution
from negtemp.runs.sweeping import records as sweep_records
from negtemp.theory.temperature import GREEDY, Temperature

Prompts = str | Sequence[str]


class DrawOptions(SettingsOptions, total=False):
    """How to draw, and `Settings`."""

    temperature: float | None
    beta: float | None
    seed: int


class RepeatOptions(TypedDict, total=False):
    """The fields of `RepeatSettings`."""

    controls: int
    samples: int
    seed: int
    counts: NDArray[np.int64] | None


class ReproduceOptions(TypedDict, total=False):
    """The fields of `reproduce.ReproduceSettings`."""

    n_predict: int
    seed: int
    asked: int
    controls: int
    counts: NDArray[np.int64] | None


class AuditOptions(TypedDict, total=False):
    """The fields of `AuditSettings`."""

    candidates: int | float | None
    exhaustive: bool
    verify: bool
    seed: int
    blind: bool
    unused: Sequence[str]


@keywords()
def load(
    model: str | os.PathLike[str] | None = None, *, n_gpu_layers: int = ALL_LAYERS, threads: int | None = None,
    rpc_servers: str | Sequence[str] = (),
) -> "LoadedModel":  # fmt: skip
    """Load a model by its path or name (`hf:org/repo`, `ollama:name`), or the bundled one.

    rpc_servers: HOST:PORT of ggml-rpc-servers that hold layers of it, in a list or with commas; they stay devices of
        this process.

    Raises EngineError (library missing, unpatched or without RPC), UsageError for a malformed name, ModelError.
    """
    loaded = library.load()
    rpc.register(loaded, rpc.servers_in(rpc_servers) if isinstance(rpc_servers, str) else rpc_servers)
    return LoadedModel(Engine(Model(loaded, model_file.find(model), n_gpu_layers), threads))


class LoadedModel:
    """A model ready to generate. Use it as a context manager, or call `close`.

    Where prompts are taken, each is a text or a list of texts; without any it is the article's. Sampling keywords
    (n_predict, ctx_size, mask, ignore_eos, repeat_penalty, top_k, top_p, min_p) are the fields of `Settings`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        model = self.engine.model
        if not model.handle:
            return "<negtemp model, closed>"
        shown = f"{model.name} ({model.description}), {model.vocabulary.size:,} tokens"
        return f"<negtemp model {shown}, {printable_path(model.path)}>"

    def tokenize(self, text: str) -> list[int]:
        """Token ids of a prompt, with what the model puts before every prompt. Raises PromptError."""
        return list(self.engine.model.vocabulary.tokenize(text))

    def detokenize(self, token_ids: Sequence[int]) -> bytes:
        """The bytes that these tokens stand for, which need not be whole UTF-8. Raises ModelError."""
        return b"".join(map(self.engine.model.vocabulary.piece, token_ids))

    def logits(self, prompt: Prompts = PROMPT) -> NDArray[np.float32]:
        """Raw logits (natural-log units, no filter) of the next token, `[vocab]`; `[prompts, vocab]` for a list.

        Raises PromptError, DecodeError.
        """
        texts = _texts((prompt,))
        found = np.empty((len(texts), self.engine.model.vocabulary.size), np.float32)
        for row in score(self.engine.model, map(self.tokenize, texts), threads=self.engine.threads):
            found[row.prompt] = row.logits
        return found[0] if isinstance(prompt, str) else found

    @keywords(Settings)
    def generate(
        self, *prompts: Prompts, temperature: float | None = None, beta: float | None = None, seed: int = 1,
        **settings: Unpack[SettingsOptions],
    ) -> Iterator[Step | Completion]:  # fmt: skip
        """Steps as they come and a Completion for each prompt. Raises UsageError, PromptError, DecodeError."""
        at = _temperature(temperature, beta)
        return generate(self.engine, _texts(prompts), at, seed, Settings(**settings))

    @overload
    def complete(self, prompt: str = PROMPT, **options: Unpack[DrawOptions]) -> Completion: ...
    @overload
    def complete(self, prompt: list[str] | tuple[str, ...], **options: Unpack[DrawOptions]) -> list[Completion]: ...
    def complete(
        self, prompt: str | list[str] | tuple[str, ...] = PROMPT, **options: Unpack[DrawOptions]
    ) -> Completion | list[Completion]:
        """The one Completion of a prompt, or a list of them for a list; options are those of `generate`."""
        found = [record for record in self.generate(prompt, **options) if isinstance(record, Completion)]
        return found[0] if isinstance(prompt, str) else found

    @keywords(Settings)
    def compare(
        self, *prompts: Prompts, temperatures: Sequence[float] = (), seeds: Sequence[int] = (1,),
        **settings: Unpack[SettingsOptions],
    ) -> Iterator[Step | Completion]:  # fmt: skip
        """Every prompt and seed at every temperature (default: +0.001 and -0.001), decoded together."""
        at = [Temperature.of(value) for value in temperatures] or TEMPERATURES
        return compare(self.engine, _texts(prompts), at, seeds, Settings(**settings))

    @keywords(Settings)
    def sweep(
        self, *prompts: Prompts, temperatures: Sequence[float] = (), betas: Sequence[float] = (),
        seeds: Sequence[int] = (1,), repeats: int = 1, output: str | os.PathLike[str] | None = None,
        parallel: int | None = None, deterministic: bool = False, steps: bool = False,
        workers: int | None = None, devices: Sequence[str] = (), executor: Literal["process", "ray"] = "process",
        **settings: Unpack[SettingsOptions],
    ) -> Iterator[Step | Completion | Failure]:  # fmt: skip
        """A Completion, or a Failure with the reason, for each prompt, temperature (default: 21 betas from -1000
        through 0 to 1000), seed and repeat, in order of completion; with `steps`, its Steps right before it.

        With `output` each is saved in that run directory before it comes, and what is there already comes first.
        `workers` processes, each with a model of its own, or one on each of `devices`, decode beside each other; with
        `executor="ray"` they are actors of a Ray cluster. A script that asks for them needs `if __name__ ==
        "__main__"`, since a worker imports it anew. Raises UsageError, DecodeError, OutputError, RecordError.
        """
        at = [*map(Temperature.of, temperatures), *map(Temperature.of_beta, betas)] or sweeping.TEMPERATURES
        sampling = Settings(**settings)
        plan = SweepPlan(_texts(prompts), tuple(at), tuple(seeds), repeats, sampling, deterministic, steps)
        shape = sweeping.batch_shape(self.engine, plan, parallel)
        execution = Execution(
            executor=executor, workers=workers, devices=tuple(devices), n_gpu_layers=self.engine.model.gpu_layers
        )
        return sweep_records(self.engine, plan, shape, execution, None if output is None else Path(output))

    @keywords(Settings)
    def spectrum(
        self, *prompts: Prompts, betas: Sequence[float] = BETAS, rulers: int = RULERS, along: int = 0,
        temperature: float | None = None, beta: float | None = None, seed: int = 1,
        **settings: Unpack[SettingsOptions],
    ) -> Iterator[Thermo | Spectrum]:  # fmt: skip
        """A Thermo at each beta and then a Spectrum, for the distribution after each prompt.

        With `along` the same at each of so many tokens more, drawn at `temperature` or `beta` (default: greedy).
        """
        at = GREEDY if temperature is None and beta is None else _temperature(temperature, beta)
        return spectrum(
            self.engine, _texts(prompts), Settings(**settings), betas=betas, rulers=rulers, along=along,
            temperature=at, seed=seed,
        )  # fmt: skip

    @keywords(RepeatSettings)
    def repeat(
        self, *tokens: str | int, limit: int = 20, **asking: Unpack[RepeatOptions]
    ) -> Iterator[Trial | Repetition]:
        """A Trial for each token, given by its text or id, and for its controls, and then a Repetition.

        Without tokens, the `limit` most frequent of what the model emits below zero. `asking` are `RepeatSettings`'
        fields: controls, samples, seed, counts. Raises UsageError for a text that is no token, ModelError, PromptError.
        """
        vocabulary, how = self.engine.model.vocabulary, RepeatSettings(**asking)
        ids = [lookup.token_id(vocabulary, token) if isinstance(token, str) else token for token in tokens]
        ids = ids or emitted_tokens.candidates(vocabulary, emitted_tokens.below_zero(self.engine, how.seed), limit)
        return repeat(Elicitor(self.engine), ids, how)

    @keywords(ReproduceSettings)
    def reproduce(self, *prompts: Prompts, **settings: Unpack[ReproduceOptions]) -> Iterator[Result]:
        """The article's experiment: every record of it, and a ClaimVerdict for each claim at the end.

        `settings` are `ReproduceSettings`'s fields: n_predict, seed, asked, controls, counts.
        """
        return reproduce(Elicitor(self.engine), ReproduceSettings(**settings), _texts(prompts, PROMPTS))

    @keywords()
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

    @keywords(AuditSettings)
    def audit(self, **settings: Unpack[AuditOptions]) -> Iterator[AuditToken | Audit]:
        """Every token of the vocabulary from the most suspect on, then the Audit as a whole.

        `settings` are `AuditSettings`' fields: candidates, exhaustive, verify, seed, blind, unused. Raises ModelError
        and DecodeError.
        """
        model = self.engine.model
        with Weights(model.library, model.path) as weights:
            yield from audit(self.engine, weights, AuditSettings(**settings))

    def census(self, *, seed: int = 1, blind: bool = False, unused: Sequence[str] = ()) -> Iterator[Plateau | Census]:
        """How many tokens were never trained: a Plateau for each of some contexts, then the Census.

        With `blind` the level is found without the file's own list of unused tokens, to which `unused` adds names.
        Raises ModelError, UsageError, DecodeError.
        """
        model = self.engine.model
        with Weights(model.library, model.path) as weights:
            yield from census(self.engine, weights, seed=seed, blind=blind, unused=unused)

    def close(self) -> None:
        """Free the model's memory."""
        self.engine.model.close()

    def __enter__(self) -> "LoadedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _texts(prompts: Sequence[Prompts], default: Sequence[str] = (PROMPT,)) -> tuple[str, ...]:
    """Texts and lists of texts as one row; the default where nothing was given. Raises UsageError."""
    texts = [text for one in prompts for text in ([one] if isinstance(one, str) else one)]
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise UsageError(f"a prompt is a text, not {wrong!r}")
    return tuple(texts if prompts else default)


def _temperature(temperature: float | None, beta: float | None) -> Temperature:
    if temperature is not None and beta is not None:
        raise UsageError("`temperature` and `beta` exclude each other; give one of them")
    if beta is not None:
        return Temperature.of_beta(beta)
    return Temperature.of(-0.001 if temperature is None else temperature)
