"""`hf:org/repo[:QUANT|:file.gguf][@revision]`: models that lie in the hub's cache, read in place without its client.

    models--org--repo/refs/main                       the commit that a name of a revision means
    models--org--repo/snapshots/COMMIT/file.gguf      a link into
    models--org--repo/blobs/SHA256                    the file; SHA256.incomplete while it is being fetched

llama.cpp keeps what it fetches in the same layout, below LLAMA_CACHE where that is set, and kept it flat before
(`llama_cpp`). Without a revision, main is meant, or the only one there is. It leaves out fetching (`pull`).

Source: huggingface_hub, "Understand caching" and its constants; llama.cpp, common/hf-cache.cpp.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from negtemp.errors import ModelError, UsageError
from negtemp.model.references import folder, found, llama_cpp
from negtemp.model.references.found import SUFFIX, Candidate, Found
from negtemp.printable import printable, printable_path
from negtemp.records.local_model import LocalModel, size_text

FORM = "hf:org/repo, hf:org/repo:Q4_K_M or hf:org/repo:file.gguf, each with @revision where one is meant"

# no two special characters in a row, none at the ends
_ID = re.compile(r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*")
_WHICH = re.compile(r"[A-Za-z0-9_.\-]+")
_REVISION = re.compile(r"[A-Za-z0-9_.\-]+(?:/[A-Za-z0-9_.\-]+)*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_ID = 96
_SHORT = 8
MAIN = "main"


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart: the repository, a quantisation or a file of it (or neither), and a revision (or none)."""

    repository: str
    quant: str = ""
    file: str = ""
    revision: str = ""

    def __str__(self) -> str:
        which = self.quant or self.file
        return f"hf:{self.repository}{':' if which else ''}{which}{'@' if self.revision else ''}{self.revision}"

    @property
    def folder_name(self) -> str:
        """The repository as the cache names its folder."""
        return "models--" + self.repository.replace("/", "--")


def parse(text: str) -> Name:
    """A name behind `hf:`. Raises UsageError that says which part of it is wrong."""
    rest, at, revision = text.partition("@")
    repository, colon, which = rest.partition(":")
    parts = repository.split("/")
    if len(parts) != 2 or not all(_ID.fullmatch(part) and len(part) <= _LONGEST_ID for part in parts):
        raise _malformed(text, f"{printable(os.fsencode(repository), ' ')!r} is no org/repo")
    if at and (not _REVISION.fullmatch(revision) or _leaves(revision)):
        raise _malformed(text, f"{printable(os.fsencode(revision), ' ')!r} is no revision")
    is_file = which.endswith(SUFFIX)
    if colon and (_leaves(which) or which.startswith("/") or (not is_file and not _WHICH.fullmatch(which))):
        raise _malformed(text, f"{printable(os.fsencode(which), ' ')!r} is neither a quantisation nor a .gguf file")
    return Name(repository, "" if is_file else which, which if is_file else "", revision)


def _leaves(path: str) -> bool:
    return ".." in path.split("/") or "\0" in path


def _malformed(text: str, problem: str) -> UsageError:
    return UsageError(f"hf:{printable(os.fsencode(text), ' ')}: {problem}; write {FORM}")


def cache() -> Path:
    """The hub's cache, by the variables that its client reads, in its order."""
    variable = os.environ.get
    home = variable("HF_HOME") or os.path.join(variable("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    chosen = variable("HF_HUB_CACHE") or variable("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(os.path.expanduser(chosen)))


def _caches() -> list[Path]:
    others = [Path(given)] if (given := os.environ.get("LLAMA_CACHE")) else []
    return list(dict.fromkeys([cache(), *others]))


def find(text: str) -> Found:
    """The file that a name behind `hf:` means. Raises UsageError for a malformed name, ModelError where it is not."""
    name = parse(text)
    repositories = [there for root in _caches() if (there := root / name.folder_name).is_dir()]
    for repository in repositories:
        commit = _commit(repository, name)
        if commit is not None:
            chosen = _choose(name, folder.candidates(repository / "snapshots" / commit), commit, repository)
            if chosen is not None:
                return Found(chosen.path, str(name), commit)
    if not name.revision and (flat := llama_cpp.of_repository(name.repository)):
        return Found(only(name, asked(name, flat)).path, str(name))
    raise _missing(name, repositories)


def asked(name: Name, given: list[Candidate]) -> list[Candidate]:
    """Those of a repository that a name could mean."""
    if name.file:
        return [one for one in given if name.file in found.part_names(one.name)] or [
            one for one in given if one.name.rpartition("/")[2] == name.file
        ]
    return found.meant(given, name.quant) if name.quant else given


def _choose(name: Name, given: list[Candidate], commit: str, repository: Path) -> Candidate | None:
    there = asked(name, given)
    if there:
        return only(name, there)
    if name.file and (direct := repository / "snapshots" / commit / name.file).is_file():
        return Candidate(name.file, direct, direct.stat().st_size)  # such as a draft head, asked for by its name
    return None


def only(name: Name, given: list[Candidate]) -> Candidate:
    """The one of those that a name could mean. Raises ModelError for several, none, and one that is not whole."""
    if not given:
        raise _missing(name, [])
    bare = Name(name.repository, revision=name.revision)
    words = [one.label for one in given]
    example = Name(bare.repository, words[0], revision=bare.revision)
    if len(set(words)) < len(words) or not words[0]:
        example = Name(bare.repository, file=given[0].name, revision=bare.revision)
    return found.only(given, str(name), str(example))


def _commit(repository: Path, name: Name) -> str | None:
    """The commit that a name's revision means in a repository's folder; None where nothing of it is there."""
    there = _revisions(repository)
    wanted = name.revision or MAIN
    if wanted in there:
        return there[wanted]
    commits = set(there.values()) | set(_commits(repository))
    if name.revision:
        matching = {commit for commit in commits if len(wanted) >= _SHORT - 1 and commit.startswith(wanted)}
        if len(matching) != 1:
            shown = ", ".join(sorted({*there, *(commit[:_SHORT] for commit in commits)})) or "none"
            raise ModelError(f"{name}: no revision {wanted} of it is on this machine; there is {shown}; {_pull(name)}")
        return matching.pop()
    if len(commits) > 1:
        shown = ", ".join(sorted(f"@{commit[:_SHORT]}" for commit in commits))
        raise ModelError(f"{name}: several revisions are here and none is main; name one of {shown}")
    return commits.pop() if commits else None


def _revisions(repository: Path) -> dict[str, str]:
    """Names of revisions and the commits that they mean; names may hold slashes, as refs/pr/1 does."""
    base = repository / "refs"
    named = {}
    for parent, _, files in os.walk(base):
        for file in files:
            try:
                commit = (Path(parent) / file).read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                continue
            if _COMMIT.fullmatch(commit):
                named[str((Path(parent) / file).relative_to(base))] = commit
    return named


def _commits(repository: Path) -> list[str]:
    try:
        return [entry for entry in os.listdir(repository / "snapshots") if _COMMIT.fullmatch(entry)]
    except OSError:
        return []


def _missing(name: Name, repositories: list[Path]) -> ModelError:
    """Why a name leads to nothing here: never fetched, fetched in part, or another of the repository's files."""
    for repository in repositories:
        unfinished = list((repository / "blobs").glob("*.incomplete"))
        if unfinished:
            size = size_text(sum(path.stat().st_size for path in unfinished))
            return ModelError(f"{name} has been fetched in part only ({size}); {_pull(name)}")
        there = [one for commit in _commits(repository) for one in folder.candidates(repository / "snapshots" / commit)]
        if there:
            return ModelError(f"{name} is not on this machine, which has {found.listed(there)} of it; {_pull(name)}")
    return ModelError(f"{name} is not on this machine (looked in {printable_path(_caches()[0])}); {_pull(name)}")


def _pull(name: Name) -> str:
    return f"fetch it with `negtemp pull {name}`"


def models() -> Iterator[LocalModel]:
    """Every model of every revision, each file once; main's come by the shortest name that means them."""
    for root in _caches():
        for entry in _folders(root):
            if entry.startswith("models--") and entry.count("--") == 2:
                yield from _of_repository(root / entry, entry.removeprefix("models--").replace("--", "/"))


def _folders(root: Path) -> list[str]:
    try:
        return sorted(os.listdir(root))
    except OSError:
        return []


def _of_repository(repository: Path, name: str) -> Iterator[LocalModel]:
    main = _revisions(repository).get(MAIN)
    seen = set()
    for commit in sorted(_commits(repository), key=lambda commit: (commit != main, commit)):
        there = folder.candidates(repository / "snapshots" / commit)
        for one in there:
            data = os.path.realpath(one.path)
            if data not in seen:
                seen.add(data)
                revision = "" if commit == main else commit[:_SHORT]
                yield LocalModel(
                    reference=str(_shortest(name, one, there, revision)), source="hub", size=one.size,
                    file=printable_path(one.path), revision=commit, problem=one.problem,
                )  # fmt: skip


def _shortest(repository: str, one: Candidate, there: list[Candidate], revision: str) -> Name:
    if len(there) == 1:
        return Name(repository, revision=revision)
    if one.label and found.meant(there, one.label) == [one]:
        return Name(repository, one.label, revision=revision)
    return Name(repository, file=one.name, revision=revision)
