"""Which tokens a command is about: --tokens, --tokens-raw, --ids and --from, or what the model emits below zero.

A token may be typed (`model.tokens.lookup`) or given by its id; --from takes what a run emitted below zero, most
frequent first. Together they are one list.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from negtemp.cli import options
from negtemp.errors import RecordError, UsageError

if TYPE_CHECKING:
    from negtemp.model.tokens.vocabulary import Vocabulary
    from negtemp.records import Completion, Header

_PANEL = "Tokens"

Tokens = Annotated[
    list[str] | None,
    typer.Option(
        "--tokens", metavar="TEXT", rich_help_panel=_PANEL,
        help="a token by its text; where none has it, as the file spells it or as our tables show it; may be repeated",
    ),
]  # fmt: skip
TokensRaw = Annotated[
    list[str] | None,
    typer.Option(
        "--tokens-raw", metavar="SPELLING", rich_help_panel=_PANEL,
        help="a token as the file spells it, such as Ġword, whatever its text is; may be repeated",
    ),
]  # fmt: skip
Ids = Annotated[str | None, typer.Option("--ids", metavar="LIST", rich_help_panel=_PANEL, help="tokens by their ids")]
From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        rich_help_panel=_PANEL,
        help="what a run emitted below zero: the folder or file it was saved in, or -",
    ),
]


def token_ids(
    vocabulary: "Vocabulary", tokens: Sequence[str] | None, ids: str | None, raw: Sequence[str] | None = None
) -> list[int]:
    """The ids that --tokens, --tokens-raw and --ids mean, each once, in that order; none where nothing is given.

    Raises UsageError for text that is no token or an id that is no whole number, ModelError for one that does not
    exist.
    """
    from negtemp.model.tokens import lookup

    found = [lookup.token_id(vocabulary, text) for text in tokens or ()]
    found += [lookup.spelled(vocabulary, text) for text in raw or ()]
    found += _numbered(ids) if ids is not None else []
    for token_id in found:
        vocabulary.piece(token_id)  # raises where it does not exist
    return list(dict.fromkeys(found))


def remarks(vocabulary: "Vocabulary", tokens: Sequence[str] | None) -> list[str]:
    """A line for each name that may mean another token than the one taken."""
    from negtemp.model.tokens import lookup

    return [said for said in (lookup.remark(vocabulary, text) for text in tokens or ()) if said]


def _numbered(text: str) -> list[int]:
    values = options.numbers("--ids", text)
    wrong = next((value for value in values if not (value >= 0 and math.isfinite(value) and value == int(value))), None)
    if wrong is not None:
        raise UsageError(f"--ids holds {wrong:g}, which is no token id; give whole numbers from 0")
    return [int(value) for value in values]


def below_zero(completions: Iterable["Completion"]) -> list[int]:
    """Ids that a run emitted at beta < 0, most frequent first. Raises RecordError where there is none."""
    from negtemp.experiments.emitted_tokens import emitted

    found = emitted(completion for completion in completions if completion.temperature.beta < 0)
    if not found:
        raise RecordError("the run holds no token emitted below zero; make one with `negtemp compare -o DIR`")
    return found


def warnings(saved: "Header | None", header: "Header") -> list[str]:
    """A line where the run was made with another file than the one in use."""
    if saved is None:
        return []
    of_run = saved.model
    if of_run.fingerprint_kind != header.model.fingerprint_kind:
        return [
            "an older negtemp saved the run, and whether by this model cannot be told; its ids are taken as they are"
        ]
    if of_run.fingerprint == header.model.fingerprint:
        return []
    return [f"the run was made with another model, {of_run.name}; its ids are taken as they are"]
