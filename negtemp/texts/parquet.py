"""The strings of a Parquet file, with the number of the row, from 1, in which each stands.

Columns of strings are read, and those of lists, structs and maps that hold some (the keys of maps left out, as the
names of JSON are). A few rows are held at a time, and what a dictionary holds once is not unfolded, so a small file of
many rows stays small. It leaves out binary columns, and Parquet out of a pipe or an archive, which cannot seek.

Source: pyarrow, `ParquetFile.iter_batches`, `read_dictionary`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from negtemp.errors import ScanError
from negtemp.printable import printable
from negtemp.texts.blocks import LONGEST_TEXT, Block
from negtemp.texts.inputs import shown, translated

MAGIC = b"PAR1"
ENDINGS = (".parquet", ".pq")

_SEPARATOR = b"\xff"  # in no text of UTF-8
_MOST_ROWS = 1 << 10
_UNFOLDED = 1 << 26

Gatherer = Callable[[Any], Iterable[str]]


def library() -> ModuleType:
    """pyarrow's reader. Raises ScanError, with what to install, where there is none."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise ScanError("reading Parquet takes another package; pip install 'negtemp[scan]'") from None
    found: ModuleType = pyarrow.parquet
    return found


def blocks(path: Path) -> Iterator[Block]:
    """Every string a text. Raises ScanError where the file cannot be read."""
    library()
    import pyarrow

    texts: list[bytes] = []
    lines: list[int] = []
    size = 0
    with translated(path):
        try:
            for row, text in _strings(path):
                texts.append(text)
                lines.append(row)
                size += len(text) + 1
                if size > LONGEST_TEXT:
                    yield Block(_SEPARATOR.join(texts), _SEPARATOR, lines)
                    texts, lines, size = [], [], 0
        except (pyarrow.ArrowException, ValueError) as error:
            reason = printable(" ".join(str(error).split())[:200].encode("utf-8", "replace"), keep=" '\"")
            raise ScanError(f"{shown(path)} is corrupt, or no Parquet: {reason}") from None
    yield Block(_SEPARATOR.join(texts), _SEPARATOR, lines)


def _strings(path: Path) -> Iterator[tuple[int, bytes]]:
    """(row, text) for every string of every column that holds some."""
    parquet = library()
    with parquet.ParquetFile(path) as file:
        gather = {column.name: found for column in file.schema_arrow if (found := _gatherer(column.type))}
        columns = [file.schema.column(i).path for i in range(len(file.schema.names))]
    with parquet.ParquetFile(path, read_dictionary=columns, buffer_size=LONGEST_TEXT) as file:
        first = 1
        for batch in file.iter_batches(batch_size=_rows(file.metadata), columns=list(gather), use_threads=False):
            for row in _slices(batch):
                for name, column in zip(batch.schema.names, row.columns, strict=True):
                    for number, value in enumerate(column.to_pylist(), start=first):
                        yield from ((number, text.encode()) for text in gather[name](value))
                first += row.num_rows


def _rows(metadata: Any) -> int:
    """How many rows are read at once: as many as a block holds."""
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    return int(min(_MOST_ROWS, max(1, LONGEST_TEXT * metadata.num_rows // max(1, size))))


def _slices(batch: Any) -> Iterator[Any]:
    """A batch in as few parts as can be unfolded at once, every row perhaps holding all of its dictionary."""
    step = min(max(1, batch.num_rows), max(1, _UNFOLDED // max(1, batch.nbytes)))
    return (batch.slice(start, step) for start in range(0, batch.num_rows, step))


def _gatherer(kind: Any) -> Gatherer | None:
    """What takes the strings out of a value of this type; None where it can hold none."""
    from pyarrow import types

    kind = getattr(kind, "storage_type", kind)
    if types.is_dictionary(kind):
        return _gatherer(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return lambda value: () if value is None else (value,)
    if types.is_struct(kind):
        return _of_struct({field.name: found for field in kind if (found := _gatherer(field.type))})
    if types.is_map(kind):
        return _of_items(_gatherer(kind.item_type), lambda value: (item for _, item in value))
    return _of_items(_gatherer(kind.value_type), iter) if hasattr(kind, "value_type") else None


def _of_items(inner: Gatherer | None, items: Callable[[Any], Iterable[Any]]) -> Gatherer | None:
    return None if inner is None else lambda value: (text for item in items(value or ()) for text in inner(item))


def _of_struct(fields: Mapping[str, Gatherer]) -> Gatherer | None:
    if not fields:
        return None
    return lambda value: (text for name, inner in fields.items() for text in inner((value or {}).get(name)))
