"""`--plot FILE`: what is checked before anything runs, and the file once the image is there."""

from collections.abc import Callable, Sequence
from pathlib import Path

from negtemp.cli.output import note
from negtemp.errors import OutputError, UsageError
from negtemp.printable import printable_path
from negtemp.records import Spectrum, Thermo
from negtemp.views import plots


def check(path: Path | None) -> None:
    """Raises UsageError for an unknown format, OutputError where matplotlib or the folder is missing."""
    if path is None:
        return
    if path.suffix.lower() not in plots.FORMATS:
        raise UsageError(
            f"--plot draws {' or '.join(plots.FORMATS)}, not {printable_path(path)}; end the name in one of them"
        )
    if not plots.available():
        raise OutputError("--plot needs matplotlib; run: pip install 'negtemp[plot]'")
    if not path.parent.is_dir() or path.is_dir():
        raise OutputError(f"--plot cannot write {printable_path(path)}: no such folder, or a folder itself")


def write(path: Path | None, places: Sequence[tuple[Sequence[Thermo], Spectrum]]) -> None:
    """Draw and write the file, over one that is there. Raises OutputError where it cannot be written."""
    save(path, lambda suffix: plots.spectrum(places, suffix))


def save(path: Path | None, image: Callable[[str], bytes]) -> None:
    """Write what `image` makes for the file's suffix, over what is there. Raises OutputError."""
    if path is None:
        return
    drawn = image(path.suffix.lower())
    try:
        path.write_bytes(drawn)
    except OSError as error:
        raise OutputError(f"cannot write {printable_path(path)}: {error.strerror}; give --plot another file") from None
    note(f"wrote {printable_path(path)}")
