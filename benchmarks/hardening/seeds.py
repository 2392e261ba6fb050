"""The options of a run over seeds, which `fuzz` and `faults` share."""

import argparse
from pathlib import Path

from negtemp.model import model_file


def seed_options(description: str | None) -> argparse.ArgumentParser:
    """A parser of --seeds, --model and --report; its text is the first line of a module's docstring."""
    made = argparse.ArgumentParser(description=description.partition("\n")[0] if description else None)
    made.add_argument("--seeds", type=_seeds, default=range(200), metavar="FIRST:LAST")
    made.add_argument("--model", type=Path, default=model_file.bundled())
    made.add_argument("--report", type=Path, help="JSON Lines, a case each")
    return made


def _seeds(text: str) -> range:
    first, _, last = text.partition(":")
    return range(int(first), int(last))
