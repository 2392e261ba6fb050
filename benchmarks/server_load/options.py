"""Every option that llama-server's own help lists, given to `negtemp serve`: it serves, or says why not in one line.

    cd benchmarks && python -m server_load.options [--at-a-time 2] [NAME ...]

Each option is tried alone, on the bundled model, with a plausible value where it takes one. An outcome that is neither
"serves" nor "one line" is status 1.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from negtemp.server import executable

_PATIENCE_SECONDS = 240.0
_MEANING = 40
# a value for what the help calls it; another word gets 1
_VALUES = {
    "FNAME": "/nowhere/file", "FILE": "/nowhere/file", "PATH": "/nowhere/file", "DIR": "/nowhere/file", "M": "1",
    "lo-hi": "0-0", "TYPE": "f16", "MODE": "auto", "SERVERS": "127.0.0.1:9", "SAMPLERS": "top_k;temperature",
    "SEQUENCE": "kt", "GRAMMAR": 'root ::= "yes"', "SCHEMA": "{}", "JSON": "{}", "STRING": "word",
    "HOST": "localhost", "PORT": "0", "PREFIX": "/x", "KEY": "secret", "FORMAT": "none", "LEVEL": "low",
    "JINJA_TEMPLATE": "{{ messages }}", "JINJA_TEMPLATE_FILE": "/nowhere/file", "TOKEN_ID(+/-)BIAS": "5+1",
    "MODEL_URL": "http://127.0.0.1:9/x", "URL": "x", "KEY=TYPE:VALUE,...": "tokenizer.ggml.add_bos_token=bool:true",
    "FNAME:SCALE,...": "/nowhere/file:1", "SIMILARITY": "0.5", "PROMPT": "stop", "DEVICE": "none",
}  # fmt: skip
_VALUES_OF = {
    "--numa": "distribute", "--chat-template-kwargs": "{}", "--spec-type": "ngram-simple", "--top-p": "0.9",
    "--hf-repo-draft": "a/b", "--log-prompts-dir": "/tmp/negtemp-prompts", "--tools": "read_file",
    "--tools-runtime": "x", "--device": "none", "--override-tensor": "x=CPU", "--reasoning-budget": "0",
    "--ctx-size": "512", "--slot-save-path": "/tmp", "--media-path": "/tmp", "--path": "/tmp", "--pooling": "mean",
    "--load-mode": "auto", "--lazy-mode": "off",
}  # fmt: skip


def main() -> None:
    """Try them, and print how many serve and how many are one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="options to try (default: all)")
    parser.add_argument("--at-a-time", type=int, default=2, help="default: %(default)s")
    arguments = parser.parse_args()
    tries = [words for words in listed() if not arguments.names or words[0] in arguments.names]
    with ThreadPoolExecutor(arguments.at_a_time) as pool:
        results = dict(zip(map(" ".join, tries), pool.map(outcome, tries), strict=True))
    for option, (verdict, said) in results.items():
        print(f"{verdict:10} {option:44} {said[:120]!r}")
    counts = Counter(verdict for verdict, _ in results.values())
    print(dict(counts))
    sys.exit(bool(counts.keys() - {"serves", "one line"}))


def listed() -> Iterator[list[str]]:
    """Each option of the help by its last name, with a value if it takes one, as words of a command line."""
    shown = subprocess.run([executable(), "--help"], capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines():
        if line.startswith("-----") or not line.startswith("-"):
            continue
        # what it means begins at a fixed column, or on the next line
        head = line[:_MEANING] if line[_MEANING - 1 : _MEANING] in ("", " ") else line
        words = head.replace(",", " ", head.count(", -")).split()
        names = [word for word in words if word.startswith("-")]
        value = " ".join(words[len(names) :])
        yield [names[-1], *(_value(names[-1], value) if value else [])]


def _value(name: str, called: str) -> list[str]:
    if called == "START END":
        return ["1", "2"]
    choice = re.split(r"[|,.]", called.strip("<>[]{}"))[0]
    return [_VALUES_OF.get(name) or _VALUES.get(called) or (choice if called[0] in "<[{" else "1")]


def outcome(words: list[str]) -> tuple[str, str]:
    """What became of it, and what was said on standard error, or first on standard output."""
    command = [str(Path(sys.executable).with_name("negtemp")), "serve", "--port", "0", "-t", "1", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline() if words[0] not in ("--help", "--usage") else ""
            if first.startswith("serving "):
                process.terminate()
            said = process.communicate(timeout=_PATIENCE_SECONDS)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            return "hangs", process.communicate()[1]
    lines = [line for line in said.splitlines() if not line.startswith("loading ")]
    if first.startswith("serving ") and process.returncode == 0:
        return "serves", " ".join(lines)
    if process.returncode == 0 or (len(lines) == 1 and lines[0].startswith("negtemp: ")):
        return "one line", " ".join(lines) or first
    return f"status {process.returncode}", said


if __name__ == "__main__":
    main()
