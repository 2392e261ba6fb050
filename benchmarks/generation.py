"""Measures negtemp's speed beside what else makes the same tokens, and writes a Markdown table with the machine named.

    python benchmarks/generation.py [--real] [--models tiny,1b,7b] [--only one-sequence,…] [--quick] [--continue]

Beside it run llama-bench and llama-batched-bench of the same tree, runs of a naively patched llama-completion one after
the other, llama-cpp-python, and transformers on the bundled model. Rows go to build/benchmarks/rows.jsonl as they come:
a run that is cut off goes on with --continue, and --render only draws the table. Run it on an idle machine; it takes
about 12 minutes on two cores, and writes 4.5 GB of random models the first time.

Needs scripts/build_llama.sh --tools and benchmarks/build_naive.sh; what is missing is listed under the table with the
reason. It leaves out the time of a build from nothing, which is noted by hand.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from speed import growth, machine, parts, table
from speed.models import REAL, WORK, WORKLOADS, Workload
from speed.rows import Rows
from speed.session import Session

from negtemp.model.threads import default_threads

ROWS, MACHINE, REPORT = WORK / "rows.jsonl", WORK / "machine.json", WORK / "table.md"
PACE = WORK / "cache"

Part = Callable[[Session, Workload], None]


def choose_parts(peer_python: Path) -> dict[str, Part]:
    """Every part by name, in the order in which they run."""
    return {
        "start-up": parts.start_up, "one-sequence": parts.one_sequence, "batched": parts.batched, "job": parts.job,
        "peers": partial(parts.peers, python=peer_python), "inside": parts.inside, "store": parts.store,
        "length": growth.length, "vocabulary": growth.vocabulary, "units": growth.units,
    }  # fmt: skip


# these say nothing that another model would say otherwise
ONCE = {"start-up", "length", "vocabulary", "units"}
_MAY_CHANGE = {"date", "load before"}


def measure(session: Session, chosen: dict[str, Part], workloads: list[Workload]) -> None:
    """Run the parts, model after model, smallest first."""
    for workload in workloads:
        workload.prepare()
        parts.warm_up(session, workload)
        for name, part in chosen.items():
            if name not in ONCE or workload is workloads[0]:
                part(session, workload)


def start(options: argparse.Namespace) -> None:
    """An empty file of rows, an empty memory of batch widths, the machine as it is now; unless the run is continued."""
    WORK.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(PACE)
    here = machine.describe(options.threads) | {"extent": "quick" if options.quick else "full"}
    if options.goes_on and MACHINE.exists():
        there = json.loads(MACHINE.read_text(encoding="utf-8"))
        changed = sorted(name for name in here if name not in _MAY_CHANGE and here[name] != there.get(name))
        if changed:
            sys.exit(f"the rows there are of another {', '.join(changed)}; leave out --continue to begin anew")
        return
    ROWS.unlink(missing_ok=True)
    shutil.rmtree(PACE, ignore_errors=True)
    MACHINE.write_text(json.dumps(here, indent=1), encoding="utf-8")


def read_options() -> argparse.Namespace:
    """The command line."""
    names = list(choose_parts(Path()))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", action="store_true", help="the three real models in place of the shapes")
    parser.add_argument("--models", help=f"default: {','.join(WORKLOADS)}, or with --real {','.join(REAL)}")
    parser.add_argument("--only", default=",".join(names), metavar="PARTS", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a token or two of everything, to see that it runs")
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="keep the rows that are there")
    parser.add_argument("--render", action="store_true", help="measure nothing, only write the table")
    parser.add_argument("--threads", type=int, default=default_threads(), help="default: %(default)s")
    parser.add_argument(
        "--peer-python", type=Path, default=Path(sys.executable), metavar="PYTHON",
        help="a Python that has transformers, accelerate, gguf and torch; default: this one",
    )  # fmt: skip
    options = parser.parse_args()
    options.workloads = REAL if options.real else WORKLOADS
    options.models = options.models or ",".join(options.workloads)
    for given, known in ((options.models, list(options.workloads)), (options.only, names)):
        unknown = sorted(set(given.split(",")) - set(known))
        if unknown:
            parser.error(f"no {unknown[0]!r} among {', '.join(known)}")
    return options


def main() -> None:
    options = read_options()
    if not options.render:
        start(options)
        session = Session(Rows(ROWS), options.threads, lambda line: print(line, file=sys.stderr, flush=True))
        every = choose_parts(options.peer_python)
        chosen = {name: part for name, part in every.items() if name in options.only.split(",")}
        workloads = [options.workloads[name] for name in options.workloads if name in options.models.split(",")]
        try:
            measure(session, chosen, [each.quick() if options.quick else each for each in workloads])
        except KeyboardInterrupt:
            print("interrupted; --continue goes on from here", file=sys.stderr)
    report = table.render(Rows(ROWS), json.loads(MACHINE.read_text(encoding="utf-8")))
    REPORT.write_text(report, encoding="utf-8")
    print(report, end="")


if __name__ == "__main__":
    main()
