"""A run directory that survives anything: manifest first, then every finished unit, whole, flushed and fsynced.

    DIR/manifest.json   settings, model, patches, machine, versions (`manifest`)
    DIR/records.jsonl   the lines of each finished unit (`lines`)
    DIR/lock            held by the process that writes, and free once that process has ended

Opening a directory again resumes it: what a crash tore is cut, finished units are known by their keys, other settings
are refused with the difference, another process is refused while one writes. A write that fails is undone, so that a
full disk leaves whole units only. Failures may be taken out first, so that their units run again. fsync runs in a
thread behind the writes, in their order; `close` waits for it, and its failures are raised by the next `save` or by
`close`.
"""

import bisect
import contextlib
import fcntl
import os
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from negtemp.errors import OutputError, UsageError
from negtemp.printable import printable_path, printable_text
from negtemp.records import Record, to_line
from negtemp.runs import lines, manifest
from negtemp.runs.manifest import Manifest

_LOCK = "lock"


class Keys:
    """A set of 64-bit keys in hexadecimal, at eight bytes each."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._sorted = array("Q", sorted(int(key, 16) for key in keys))

    def __contains__(self, key: object) -> bool:
        value = int(str(key), 16)
        place = bisect.bisect_left(self._sorted, value)
        return place < len(self._sorted) and self._sorted[place] == value

    def __len__(self) -> int:
        return len(self._sorted)


class Store:
    """A run directory open for writing. Close it, or use it as a context manager."""

    def __init__(self, folder: Path, wanted: Manifest, session: Mapping[str, Any], retry_failed: bool = False) -> None:
        """Begins or resumes the run that `wanted` describes. `finished` holds the keys of what is done, `saved` counts
        it; with `retry_failed`, units that could not be generated are not done.

        Raises UsageError where the folder belongs to another run, RecordError where what it holds cannot be read,
        OutputError where another process writes it or it is not writable.
        """
        self.folder, self._shown = folder, printable_path(folder)
        self._waiting: list[Record] = []
        with self._refusals(), contextlib.ExitStack() as opened:
            folder.mkdir(parents=True, exist_ok=True)
            self._take_lock(opened)
            described = self._described(wanted)
            path = folder / lines.NAME
            self._size = 0
            if retry_failed:
                _leave_out_failures(path)
            self.finished = Keys(self._recover(path))
            self.saved = len(self.finished)
            if self.saved < wanted.units:
                described.with_session(session).write(folder)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            opened.callback(os.close, self._file)
            os.truncate(path, self._size)
            manifest.sync_folder(folder)
            self._syncer = _Syncer(self._file)
            self._opened = opened.pop_all()

    def _take_lock(self, opened: contextlib.ExitStack) -> None:
        lock = opened.enter_context((self.folder / _LOCK).open("ab+", buffering=0))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            process = f"process {int(holder)}" if holder.isdigit() else "another process"
            raise OutputError(f"{self._shown} is being written by {process}; wait for it or give another -o") from None
        lock.truncate(0)
        lock.write(str(os.getpid()).encode("ascii"))

    def _described(self, new: Manifest) -> Manifest:
        """The manifest there, if it is of the same run, or the new one."""
        old = Manifest.read(self.folder)
        if old is None and (self.folder / lines.NAME).exists():
            raise UsageError(f"{self._shown} holds {lines.NAME} but no manifest of a sweep; give another -o")
        changed = manifest.differences(old.header, new.header) if old else []
        if old and old.shard != new.shard:
            changed.append(f"shard: {old.shard or 'all'} → {new.shard or 'all'}")
        if changed:
            raise UsageError(f"{self._shown} is a run of other settings: {'; '.join(changed)}; give another -o")
        return old or new

    def _recover(self, path: Path) -> Iterator[str]:
        for unit in lines.finished_units(path):
            self._size = unit.end
            if unit.unit is not None:
                yield unit.unit

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Any OSError as one line."""
        try:
            yield
        except OSError as error:
            reason = printable_text(str(error.strerror), keep=" ")
            raise OutputError(f"cannot write to {self._shown}: {reason}; make room or give another -o") from None

    def save(self, record: Record) -> None:
        """Keep a record: a step until its unit is finished, a Completion or Failure, with its steps, at once.

        Raises OutputError, with everything saved before still there and whole.
        """
        self._waiting.append(record)
        if record.kind not in lines.FINISHING:
            return
        data = "".join(f"{to_line(waiting)}\n" for waiting in self._waiting).encode("utf-8")
        self._waiting.clear()
        self.append(data)

    def append(self, data: bytes) -> None:
        """Keep the lines of one finished unit as they are. Raises OutputError as `save` does."""
        with self._refusals():
            self._syncer.check()
            self._require_place()
            self._write(data)
        self.saved += 1
        self._syncer.wake()

    def _require_place(self) -> None:
        """Raise OutputError where the file is no longer in the folder: what is written then nobody finds."""
        try:
            there = os.path.samestat(os.stat(self.folder / lines.NAME), os.fstat(self._file))
        except FileNotFoundError:
            there = False
        if not there:
            raise OutputError(
                f"{self._shown} was moved, replaced or deleted while it was being written; a moved folder is whole: "
                "give that one with -o, or run again"
            )

    def _write(self, data: bytes) -> None:
        """All of it or nothing."""
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def close(self) -> None:
        """Wait until all of it is on the disk, and let others in. Raises OutputError."""
        with self._refusals(), self._opened:
            self._syncer.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _leave_out_failures(path: Path) -> None:
    """Replace the file, whole or not at all, by one without the units that could not be generated. Raises OSError."""
    partial = path.with_name(f"{path.name}.part")
    try:
        with partial.open("wb") as file:
            for unit in lines.finished_units(path):
                if not unit.failed:
                    file.writelines(line.encode("utf-8") for line in unit.lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


class _Syncer:
    """fsync of one file in a thread, after every write or after several that came meanwhile."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._wanted, self._ends = threading.Event(), False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends:
            self._wanted.wait()
            self._wanted.clear()
            try:
                os.fsync(self._file)
            except OSError as error:
                self._error = error

    def wake(self) -> None:
        self._wanted.set()

    def check(self) -> None:
        """Raise what the last fsync raised."""
        if self._error:
            raise self._error

    def close(self) -> None:
        self._ends = True
        self._wanted.set()
        self._thread.join()
        os.fsync(self._file)
        self.check()
