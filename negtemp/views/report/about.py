"""How a run was made: the model, the library and its patches, every setting, and when and where, as its records say."""

import json
from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text

from negtemp.printable import printable_text
from negtemp.records import Header
from negtemp.views.report.document import Part, Saved, Section, Terms

_LISTED = 40
_SITTINGS = 20


def section(saved: Saved) -> Section:
    """Everything that is known of how the records were made."""
    header = saved.header
    parts: list[Part] = [
        Terms(
            [
                ("command", _verbatim(f"negtemp {header.command}")),
                ("model", _verbatim(f"{header.model.name} ({header.model.description})")),
                ("vocabulary", Text(f"{header.model.vocabulary:,} tokens")),
                ("file", _verbatim(header.model.file)),
                (_fingerprint_kind(header), _verbatim(header.model.fingerprint)),
                ("negtemp", _verbatim(header.negtemp)),
                ("llama-cpp-python", _verbatim(header.engine.llama_cpp_python)),
                ("patched", Text("yes, and proved before the run" if header.engine.patched else "no")),
                (f"patches ({len(header.engine.patches)})", _verbatim("\n".join(header.engine.patches) or "none")),
            ]
        ),
        Text("Settings", style="bold"),
        Terms([(name, setting(value)) for name, value in header.settings.items()]),
    ]
    return Section("How it was made", [*parts, *_sittings(saved.sittings)])


def subject(saved: Saved) -> str:
    """The model and the command, in one line."""
    model = saved.header.model
    return f"{model.name} · {model.description} · {model.vocabulary:,} tokens · negtemp {saved.header.command}"


def _fingerprint_kind(header: Header) -> str:
    return "fingerprint (SHA-256)" if header.model.fingerprint_kind == "sha256" else "fingerprint"


def _sittings(sittings: Sequence[Mapping[str, object]]) -> Iterable[Part]:
    for number, sitting in enumerate(sittings[:_SITTINGS], start=1):
        yield Text(f"Sitting {number} of {len(sittings)}", style="bold")
        yield Terms([(name.replace("_", " "), setting(value)) for name, value in sitting.items()])
    if len(sittings) > _SITTINGS:
        yield f"{len(sittings) - _SITTINGS:,} more sittings are in the run's manifest."


def setting(value: object) -> Text:
    """A value as one reads it; of a long list its first items and how many more there are."""
    if isinstance(value, list | tuple):
        shown = [_one(item) for item in value[:_LISTED]]
        more = f" … {len(value) - _LISTED:,} more" if len(value) > _LISTED else ""
        texts = any(isinstance(item, str) and not _is_number(item) for item in value)
        return Text(("\n" if texts else ", ").join(shown) + more or "none")
    return Text(_one(value))


def _is_number(text: str) -> bool:
    return text in ("inf", "-inf")


def _one(value: object) -> str:
    match value:
        case None:
            return "not given"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case str():
            return printable_text(value, keep=" ") or "(empty)"
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=True)
        case _:
            return str(value)


def _verbatim(text: str) -> Text:
    return Text(text)
