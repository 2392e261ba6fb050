"""Measures every indicator of the audit on a family of models trained here, for which the truth is known.

    pip install -e '.[train]'
    python benchmarks/audit_family.py [--branch first|collapsed] [--seeds N] [--only train|measure]

Trains what is missing of the family, quantises it, scores every token by every indicator, and writes
benchmarks/audit/results.json and benchmarks/audit/RESULTS.md. The branch `collapsed` holds models whose never-trained
rows have come to coincide, as in real ones; `--only train` makes its models and the truth beside them, and
benchmarks/level_law.py measures them. Models go to build/audit-family and build/audit-collapsed and stay there: what
was trained or scored once is not done again. One thread each: two gain little on networks of this size. The work is in
the package `audit` beside this file.
"""

import argparse
import time

from audit import collapsed
from audit.collapsed import Collapsed
from audit.family import Member, members


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--branch", choices=("first", "collapsed"), default="first", help="(default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="members of each configuration (default: %(default)s)")
    parser.add_argument("--only", choices=("train", "measure"), help="one half of the work (default: both)")
    arguments = parser.parse_args()
    if arguments.branch == "collapsed":
        if arguments.only != "measure":
            train_collapsed(list(collapsed.members(arguments.seeds)))
        return
    family = list(members(arguments.seeds))
    if arguments.only != "measure":
        train_missing([member for member in family if not member.truth.exists()])
    if arguments.only != "train":
        measure([member for member in family if member.truth.exists()])


def train_missing(missing: list[Member]) -> None:
    """Train these, one after the other."""
    if not missing:
        return
    import torch  # not needed to measure what is trained
    from audit.text import read_text
    from audit.training import train

    torch.set_num_threads(1)
    text = read_text()
    for number, member in enumerate(missing, 1):
        start = time.monotonic()
        train(member, text)
        print(f"{number}/{len(missing)} {member.name} {time.monotonic() - start:.0f} s", flush=True)


def train_collapsed(family: list[Collapsed]) -> None:
    """Train what is missing of the second branch, one after the other."""
    import torch
    from audit.collapsing import train

    torch.set_num_threads(1)
    for number, member in enumerate(family, 1):
        if not member.truth.exists():
            start = time.monotonic()
            train(member)
            print(f"{number}/{len(family)} {member.name} {time.monotonic() - start:.0f} s", flush=True)


def measure(trained: list[Member]) -> None:
    """Score what is not scored yet, then write the tables."""
    from audit.report import write_results
    from audit.scoring import scored

    write_results([result for member in trained for result in scored(member)])


if __name__ == "__main__":
    main()
