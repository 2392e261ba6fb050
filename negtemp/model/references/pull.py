"""Fetching a model of the hub into the hub's own cache, so that every program there finds it.

The client of the hub (huggingface_hub, the extra `hub`) knows addresses, tokens and errors, and lays out the cache.
What it lacks is done here: it throws away what it has of a file when it is interrupted, so the blob itself is fetched
into `blobs/SHA256.incomplete`, which the next call continues; its digest is compared before it becomes a blob. Another
process that fetches the same file holds its lock, and is waited for. Files beyond what the hub gives over plain HTTP
are left to the client altogether.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from negtemp.errors import ModelError, UsageError
from negtemp.model.references import found, hub
from negtemp.model.references.hub import Name
from negtemp.printable import printable, printable_path
from negtemp.records.local_model import LocalModel, size_text

_EXTRA = "fetching needs huggingface_hub; install it with `pip install 'negtemp[hub]'`"
# what the hub refuses to give without its own protocol
_MOST_BY_HTTP = 50_000_000_000
_BLOCK = 1 << 20

Advance = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a repository: its name there, its size, the name of its blob, its SHA-256 where the hub knows it."""

    name: str
    size: int
    blob: str
    sha256: str | None
    begun: int
    is_here: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of one model at one commit of its repository, and how much of them is here."""

    name: Name
    commit: str
    files: tuple[File, ...]

    @property
    def folder(self) -> Path:
        """The repository's folder in the cache."""
        return hub.cache() / self.name.folder_name

    @property
    def missing(self) -> int:
        """Bytes that are not here yet."""
        return sum(file.size - file.begun for file in self.files if not file.is_here)

    @property
    def first(self) -> Path:
        """The file that llama.cpp will be given."""
        return self.folder / "snapshots" / self.commit / self.files[0].name

    @property
    def record(self) -> LocalModel:
        """The model as it will lie here."""
        return LocalModel(
            reference=str(self.name), source="hub", size=sum(file.size for file in self.files),
            file=printable_path(self.first), revision=self.commit,
        )  # fmt: skip


def snapshot(reference: str) -> Snapshot:
    """What a name behind `hf:` means on the hub now. Raises UsageError, ModelError; asks the hub once."""
    place, _, text = reference.partition(":")
    if place != "hf":
        raise UsageError(f"{printable(os.fsencode(reference), ' ')} is no model of the hub; write {hub.FORM}")
    name = hub.parse(text)
    with _translated(name):
        from huggingface_hub import HfApi

        about = HfApi().model_info(name.repository, revision=name.revision or None, files_metadata=True)
    entries = {sibling.rfilename: sibling for sibling in about.siblings or ()}
    sizes = {file: int(entry.size or 0) for file, entry in entries.items()}
    chosen = _chosen(name, sizes)
    files = tuple(_file(name, str(about.sha), file, entries[file]) for file in found.part_names(chosen))
    return Snapshot(name, str(about.sha), files)


def _chosen(name: Name, sizes: dict[str, int]) -> str:
    if name.file in sizes:
        return found.part_names(name.file)[0]
    there = found.candidates(Path(), sizes)
    asked = hub.asked(name, there)
    if not asked:
        has = f"it has {found.listed(there)}" if there else "it holds no GGUF files; look for a repository that does"
        raise ModelError(f"{name} is not on the hub: {has}")
    return hub.only(name, asked).name


def _file(name: Name, commit: str, file: str, entry: Any) -> File:
    """One file of the hub's answer, and what of it is here."""
    sha256 = getattr(entry.lfs, "sha256", None)
    blob = str(sha256 or entry.blob_id)
    base = hub.cache() / name.folder_name
    incomplete = base / "blobs" / f"{blob}.incomplete"
    begun = incomplete.stat().st_size if incomplete.is_file() else 0
    here = (base / "snapshots" / commit / file).is_file()
    return File(file, int(entry.size or 0), blob, sha256, min(begun, int(entry.size or 0)), here)


def fetch(wanted: Snapshot, advance: Advance) -> Path:
    """Fetch what is missing, and give the model's first file. `advance` is told bytes done, and of how many.

    Raises ModelError; what has been fetched until then stays, and is not fetched again.
    """
    _require_room(wanted)
    done = 0
    with _translated(wanted.name):
        for file in wanted.files:
            if not file.is_here:
                _fetch(wanted, file, partial(_tell, advance, done, wanted.missing))
                done += file.size - file.begun
    return wanted.first


def _tell(advance: Advance, before: int, total: int, come: int) -> None:
    advance(before + come, total)


def _require_room(wanted: Snapshot) -> None:
    folder = next(parent for parent in (wanted.folder, *wanted.folder.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < wanted.missing:
        raise ModelError(
            f"{wanted.name} needs {size_text(wanted.missing)} and {printable_path(folder)} has {size_text(free)} left; "
            "make room, or set HF_HUB_CACHE to another folder"
        )


def _fetch(wanted: Snapshot, file: File, told: Callable[[int], None]) -> None:
    from huggingface_hub import hf_hub_download, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, build_hf_headers, disable_progress_bars

    disable_progress_bars()
    blobs = wanted.folder / "blobs"
    blob = blobs / file.blob
    if file.size < _MOST_BY_HTTP:
        blobs.mkdir(parents=True, exist_ok=True)
        lock = hub.cache() / ".locks" / wanted.name.folder_name / f"{file.blob}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        address = hf_hub_url(wanted.name.repository, file.name, revision=wanted.commit)
        with WeakFileLock(str(lock)):
            if not blob.exists():
                incomplete = blobs / f"{file.blob}.incomplete"
                with _Counted(incomplete, told) as written:
                    http_get(
                        address, written, resume_size=written.begun, headers=build_hf_headers(),
                        expected_size=file.size, displayed_filename=file.name,
                    )  # fmt: skip
                _check(incomplete, file)
                incomplete.replace(blob)
    # finds the blob, links the snapshot to it and writes down what the revision means
    hf_hub_download(wanted.name.repository, file.name, revision=wanted.name.revision or None)
    if not (wanted.folder / "snapshots" / wanted.commit / file.name).is_file():
        hf_hub_download(wanted.name.repository, file.name, revision=wanted.commit)  # the revision has moved meanwhile


class _Counted(io.FileIO):
    """A file that is appended to, and tells how many bytes came."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        super().__init__(path, "ab")
        self.begun = self.tell()
        self._told, self._come = told, 0

    def write(self, data: Any, /) -> int:
        left = memoryview(data)
        while left:
            left = left[super().write(left) :]
        self._come += len(data)
        self._told(self._come)
        return len(data)


def _check(path: Path, file: File) -> None:
    """Raise ModelError, and drop the file, where it is not what the hub said it would be."""
    if file.sha256 is None:
        return
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != file.sha256:
        path.unlink()
        raise ModelError(f"what came for {printable_path(file.name)} is not what the hub announced; pull again")


@contextmanager
def _translated(name: Name) -> Iterator[None]:
    """The client's errors as ours, in one line each."""
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise ModelError(_EXTRA) from error
    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(
            f"{name} is gated: accept its terms on the hub's page, then set HF_TOKEN or run `hf auth login`"
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{name}: the repository has no revision {name.revision or hub.MAIN}") from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"{name}: the hub has no such repository, or it is private; look at the name, or set HF_TOKEN"
        ) from None
    except errors.OfflineModeIsEnabled:
        raise ModelError(f"{name} is not here and HF_HUB_OFFLINE forbids asking the hub; unset it") from None
    except (errors.HTTPError, OSError, ValueError) as error:
        raise ModelError(_reason(name, error)) from None


def _reason(name: Name, error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None and response.status_code in (401, 403):
        return f"{name} is private or gated, or is not there: look at the name, then set HF_TOKEN to a token that may"
    if response is not None:
        return f"{name}: the hub answered {response.status_code}; try again later"
    if isinstance(error, OSError) and error.filename:
        return f"cannot write {printable_path(error.filename)}: {error.strerror}; set HF_HUB_CACHE to a folder of yours"
    said = printable(str(error).splitlines()[0].encode("utf-8", "replace") if str(error) else b"no reason given", " ")
    return f"{name}: the hub cannot be reached ({said}); see to the network and pull again, which goes on from here"
