"""What every command with a model does before it runs: prove the library, load the model, describe the run."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from negtemp.cli import rpc
from negtemp.cli.messages import say
from negtemp.errors import PromptError
from negtemp.experiments.settings import Settings
from negtemp.model import library, model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.chat import has_template, rendered
from negtemp.model.llama.model import ALL_LAYERS, Model
from negtemp.model.references.found import Found
from negtemp.model.rpc import register
from negtemp.model.tokens.vocabulary import TokenizedPrompt, Vocabulary
from negtemp.printable import printable
from negtemp.runs.provenance import batches, header, sampling
from negtemp.theory.temperature import Temperature
from negtemp.views import console, progress

__all__ = ["header", "header_settings", "open_engine", "opened", "prompts"]

# ggml's words where a server is lost
_OF_SERVER = re.compile("RPC|connect|endpoint", re.IGNORECASE)
# of a MiB each: about a second of reading
_MANY_BLOCKS = 1024


@contextmanager
def open_engine(model: str | Found | None, gpu_layers: int, threads: int | None) -> Iterator[Engine]:
    """An engine on the model meant. Raises EngineError (status 5), UsageError for a malformed name and ModelError."""
    found = model if isinstance(model, Found) else model_file.find(model)
    with opened(found, gpu_layers) as loaded:
        yield Engine(loaded, threads)


@contextmanager
def opened(path: Path | Found, gpu_layers: int = ALL_LAYERS, vocabulary_only: bool = False) -> Iterator[Model]:
    """The model of a file, by a library that is proved, and identified. Raises EngineError and ModelError."""
    proved = library.load()
    library.on_abort(_leave)
    if rpc.servers() and not vocabulary_only:
        rpc.remark()
        register(proved, rpc.servers())
    with Model(proved, path, gpu_layers, vocabulary_only) as loaded:
        loaded.fingerprint(_identifying)
        yield loaded


def _identifying(blocks: Iterable[None], total: int, what: str) -> Iterable[object]:
    """Progress where there is much to read; what takes a moment is not worth a bar."""
    return progress.tracked(blocks, total, what, console.stderr()) if total > _MANY_BLOCKS else blocks


def _leave(reason: str) -> None:
    """ggml is about to abort the process; end it in one line instead. Nothing can be unwound from here."""
    sys.stdout.flush()
    if rpc.servers() and _OF_SERVER.search(reason):
        said = reason.rpartition(": ")[2]
        say(f"an RPC server is lost or of another llama.cpp ({said}); start it, then run this again")
    else:
        say(f"llama.cpp gave up on this model: {reason}; the file is corrupt or not supported")
    os._exit(1)


def prompts(
    engine: Engine, texts: Sequence[str], ids: Sequence[Sequence[int]] = (), chat: bool = False,
    system: str | None = None,
) -> list[str]:  # fmt: skip
    """The texts, framed by the model's chat template under --chat, then what is given as token ids.

    Raises PromptError, ModelError. Remarks on what is likely a mistake.
    """
    model = engine.model
    if chat or system is not None:
        texts = [rendered(model, text, system) for text in texts]
    elif texts and has_template(model):
        say("this model was taught to answer in a chat, and goes on with the prompt as it stands; --chat frames it")
    given = [*texts, *map(model.vocabulary.prompt_of, ids)]
    _remark_on_doubled_beginning(engine, given)
    return given


def _remark_on_doubled_beginning(engine: Engine, prompts: Sequence[str]) -> None:
    """Say on standard error how many prompts begin with a BOS that the model gets once more."""
    vocabulary = engine.model.vocabulary
    doubled = [prompt for prompt in dict.fromkeys(prompts) if _doubles_beginning(vocabulary, prompt)]
    if doubled:
        name = printable(vocabulary.detokenize(vocabulary.beginning))
        console.stderr().print(
            f"{len(doubled)} of the prompts begin with {name}, which this model puts before every prompt: "
            "it is there twice now; leave it out",
            soft_wrap=True,
        )


def _doubles_beginning(vocabulary: Vocabulary, prompt: str) -> bool:
    try:
        return vocabulary.doubles_beginning(vocabulary.tokenize(prompt))
    except PromptError:  # which is told where the prompt is used
        return False


def header_settings(
    engine: Engine, settings: Settings, prompts: Sequence[str], temperatures: Sequence[Temperature],
    seeds: Sequence[int], width: int,
) -> dict[str, Any]:  # fmt: skip
    """Every setting that the records depend on, the batch shape among them, as the header holds it."""
    ids = [list(prompt.token_ids) for prompt in prompts if isinstance(prompt, TokenizedPrompt)]
    given = {"prompt_ids": ids} if ids else {}
    return sampling(settings, prompts, temperatures, seeds) | given | batches(engine, width)
