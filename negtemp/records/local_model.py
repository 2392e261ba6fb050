"""The record of a model that lies on this machine, found by its name and not opened."""

from typing import ClassVar, Literal

from negtemp.records.lines import Record, record
from negtemp.records.values import Known

Source = Literal["hub", "llama.cpp", "lmstudio", "ollama"]

_UNITS = ("kB", "MB", "GB", "TB")


@record
class LocalModel(Record):
    """One model that `negtemp models` lists.

    reference   what to give as a model
    source      whose folder it lies in
    size        bytes of all its files
    file        the first of them
    revision    the commit or manifest that it belongs to; left out where its place keeps none
    problem     why it cannot be used; left out where nothing is known against it
    """

    kind: ClassVar[str] = "model"
    reference: str
    source: Source
    size: int
    file: str
    revision: Known[str] = None
    problem: Known[str] = None


def size_text(size: int) -> str:
    """Bytes as people read them.

    >>> size_text(4_368_439_584), size_text(999)
    ('4.4 GB', '999 bytes')
    """
    if size < 1000:
        return f"{size} bytes"
    power = min(len(_UNITS), (len(str(size)) - 1) // 3)
    return f"{size / 1000**power:.1f} {_UNITS[power - 1]}"
