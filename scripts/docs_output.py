"""Write the real output of commands into README.md and docs/, or say where it differs.

    python scripts/docs_output.py [--check] [PAGE ...]

Above an indented block a page may say which command made it:

    <!-- made by: negtemp compare -->

The command is a line for bash, run in the repository with the bundled model and this environment's `negtemp`, 104
columns wide. A first line `$ negtemp ...` of the block stays; what follows it is replaced. `--check` changes nothing;
it exits with 1 where a block differs by more than its speed (`tokens/s`). Blocks without the comment, as of models
that are fetched first, are left alone. Last bits of the logits depend on the processor, so a block may rightly
differ on another one; the figures' page names the machine.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"<!-- made by: (?P<command>.+?) -->\n\n(?P<body>(?:    .*\n|\n(?=    ))+)")
_SPEED = re.compile(r"[\d,.]+(?= tokens/s)")
_PADDING = re.compile(r"\s+")


def pages(names: list[str]) -> Iterator[Path]:
    """The pages named, or README.md and all of docs/."""
    yield from map(Path, names) if names else (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def output_of(command: str) -> str:
    """Standard output of `command`. Raises SystemExit where it fails."""
    environment = os.environ | {"COLUMNS": "104", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("NO_COLOR", None)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode not in (0, 141):
        sys.exit(f"{command}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def block(body: str, output: str) -> str:
    """The block's new text: its `$` line, a blank line, the output, all indented."""
    prompt = body.split("\n", 1)[0] if body.startswith("    $ ") else ""
    lines = [line.rstrip() for line in output.strip("\n").split("\n")]
    indented = "\n".join(f"    {line}" if line else "" for line in lines) + "\n"
    return f"{prompt}\n\n{indented}" if prompt else indented


def made_anew(text: str) -> str:
    """A page's text with every made block replaced by today's output."""

    def replace(match: re.Match[str]) -> str:
        body = block(match["body"], output_of(match["command"]))
        return f"<!-- made by: {match['command']} -->\n\n{body}"

    return _BLOCK.sub(replace, text)


def same_but_for_speed(old: str, new: str) -> bool:
    """True if the two differ in tokens/s, and in the padding that follows from it, only."""
    return _PADDING.sub(" ", _SPEED.sub("N", old)) == _PADDING.sub(" ", _SPEED.sub("N", new))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where a block differs")
    parser.add_argument("pages", nargs="*")
    arguments = parser.parse_args()
    differing = []
    for page in pages(arguments.pages):
        old = page.read_text(encoding="utf-8")
        new = made_anew(old)
        if not same_but_for_speed(old, new):
            differing.append(str(page))
            if not arguments.check:
                page.write_text(new, encoding="utf-8")
    print("\n".join(f"{'differs' if arguments.check else 'written'}: {page}" for page in differing) or "all as made")
    sys.exit(1 if arguments.check and differing else 0)


if __name__ == "__main__":
    main()
