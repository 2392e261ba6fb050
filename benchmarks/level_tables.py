"""The tables of docs/level.md over seeds, from what `level_law.py` has measured of the networks.

    python benchmarks/level_tables.py

Means are geometric; intervals are bootstraps over seeds, 2.5 to 97.5 %. Members with a third of the tokens, fine-tuned
ones and other methods are left out of the slopes and listed alone.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

LAW = Path(__file__).parent / "audit" / "law.json"
EPSILONS, DECAYS = (1e-4, 1e-5, 1e-6, 1e-8, 1e-10), (0.5, 2.0)
Member = dict[str, Any]


def main() -> None:
    """Print them."""
    networks = json.loads(LAW.read_text(encoding="utf-8"))["networks"]
    plain = [one for one in networks if _is_plain(one)]
    levels(plain)
    slopes(plain)
    others([one for one in networks if not _is_plain(one) and one["tokens_read"] > 200_000 and one["width"] == 64])


def levels(plain: list[Member]) -> None:
    """The level by epsilon, decay and head: geometric mean, least and most over seeds."""
    print("| head | decay | epsilon | p [least, most of the seeds] | push / epsilon | balance | near | low |")
    print("| --- " * 8 + "|")
    for tied, decay, epsilon in itertools.product((True, False), DECAYS, EPSILONS):
        found = [one for one in plain if (one["tied"], one["decay"], one["epsilon"], one["width"]) ==
                 (tied, decay, epsilon, 64)]  # fmt: skip
        chances = [one["level"]["p"] for one in found]
        push, balance = (np.mean([one["level"][name] for one in found]) for name in ("push", "balance"))
        print(
            f"| {'tied' if tied else 'untied'} | {decay:g} | {epsilon:g} | {np.exp(np.mean(np.log(chances))):.2e} "
            f"[{min(chances):.2e}, {max(chances):.2e}] | {push / epsilon:.2g} | {balance:.2f} "
            f"| {min(one['near'] for one in found):.4f} | {min(one['low'] for one in found):.4f} |"
        )


def slopes(plain: list[Member]) -> None:
    """Slopes of ln p, a fit for each seed."""
    print("\n| axis | held | slope of ln p |\n| --- | --- | --- |")
    for tied, decay in itertools.product((True, False), DECAYS):
        held = [one for one in plain if one["tied"] == tied and one["decay"] == decay and one["width"] == 64]
        for low, high in ((1e-5, 1e-4), (1e-10, 1e-6)):
            part = [one for one in held if low <= one["epsilon"] <= high]
            name = f"{'tied' if tied else 'untied'}, decay {decay:g}"
            print(f"| ln epsilon, {low:g} to {high:g} | {name} | {_slope(part, 'epsilon')} |")
    for tied, epsilon in itertools.product((True, False), EPSILONS):
        part = [one for one in plain if one["tied"] == tied and one["epsilon"] == epsilon and one["width"] == 64]
        print(f"| ln decay, 0.5 to 2 | {'tied' if tied else 'untied'}, epsilon {epsilon:g} | {_slope(part, 'decay')} |")
    for epsilon in (1e-8, 1e-4):
        part = [one for one in plain if one["tied"] and one["decay"] == 0.5 and one["epsilon"] == epsilon]
        print(f"| ln width, 32 to 128 | tied, decay 0.5, epsilon {epsilon:g} | {_slope(part, 'width')} |")


def others(members: list[Member]) -> None:
    """What differs in more than epsilon, decay, head and width."""
    print("\n| member | loss | p | deviation of ln p | cosine | near | low | Q4_0: p times |\n" + "| --- " * 8 + "|")
    for one in members:
        level = one["level"]
        print(
            f"| {one['member'].removesuffix('-s1')} | {one['loss']:.2f} | {level['p']:.1e} | {level['spread']:.4f} "
            f"| {level['cosine']:.4f} | {one['near']:.4f} | {one['low']:.4f} "
            f"| {one['quantised']['Q4_0']['p'] / level['p']:.2f} |"
        )


def _is_plain(one: Member) -> bool:
    alike = (one["method"], one["kind"], one["vocab"], one["tuned"]) == ("adamw", "spm", 2048, False)
    return alike and one["tokens_read"] > 200_000 and abs(one["efolds"] - 6) < 0.6


def _slope(members: list[Member], axis: str) -> str:
    found = []
    for seed in sorted({one["seed"] for one in members}):
        part = [one for one in members if one["seed"] == seed]
        at, level = np.log([one[axis] for one in part]), np.log([one["level"]["p"] for one in part])
        found.append(np.polyfit(at, level, 1)[0])
    draws = np.random.default_rng(1).choice(found, (4000, len(found))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{np.mean(found):.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
