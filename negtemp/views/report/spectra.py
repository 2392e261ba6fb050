"""The report of `spectrum`: the distribution of the next token at every temperature, after each prompt."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from rich.table import Table
from rich.text import Text

from negtemp.printable import printable_text
from negtemp.records import Record, Spectrum, Thermo
from negtemp.views import thermo
from negtemp.views.presenters import Place, places
from negtemp.views.report import pictures
from negtemp.views.report.document import LISTED, Panel, Part, Picture, Report, Saved, Section
from negtemp.views.report.pictures import Mark

_DRAWN = 6
_SIDES = ((1, "above zero"), (-1, "below zero"))


def spectrum(saved: Saved, records: Iterable[Record]) -> Report:
    """A section for each prompt; of many the first are drawn and the others counted."""
    sections, walks, whole, first = [], 0, 0, None
    for _, group in groupby(places(records), key=lambda place: place[1].sequence):
        walk = list(group)
        first = first or walk[0]
        walks += 1
        whole += walk[-1][1].following is None  # at the end of a walk nothing was drawn any more
        if walks <= _DRAWN:
            sections.append(_section(walk, walks))
    if walks > _DRAWN:
        sections.append(
            Section("More prompts", [f"{walks - _DRAWN:,} more prompts are in the records and left out here."])
        )
    return Report(
        title="The next token at every temperature",
        lead="The same scores give a distribution at every temperature. The smooth axis is beta = 1/T: at +∞ the most "
        "likely token alone is left, at 0 all tokens are alike, and at -∞ the least likely token alone is left.",
        sections=sections, facts=_facts(*first) if first else [], verdicts=[*_verdicts(first[1])] if first else [],
        missing=_missing(saved, whole),
    )  # fmt: skip


def _missing(saved: Saved, whole: int) -> list[str]:
    prompts = saved.header.settings.get("prompts")
    wanted = len(prompts) if isinstance(prompts, list | tuple) else whole
    if whole < wanted:
        return [f"This run was interrupted: {whole:,} of {wanted:,} prompts are finished."]
    return []


def _facts(states: Sequence[Thermo], found: Spectrum) -> list[tuple[str, str]]:
    plateau = found.shelf.negative
    return [
        (f"{found.tokens:,}", "tokens that can be drawn, V"),
        (f"{math.exp(found.entropy):,.4g}", "tokens that the distribution at T=1 is as wide as, exp(S)"),
        (
            ("none", "plateau of the entropy below zero")
            if plateau is None
            else (f"{plateau.tokens:,.0f}", "tokens held equally impossible: the plateau below zero")
        ),
    ]


def _verdicts(found: Spectrum) -> list[Text]:
    sentences = []
    for sign, side in _SIDES:
        tokens, ties = found.rulers.of(sign), found.ties.of(sign)
        if tokens:
            tied = f" ({ties:,} tokens tie for it)" if ties > 1 else ""
            sentences.append(
                Text.assemble(f"At every T {side} the most probable token is ", thermo.piece(tokens[0]),
                              f", id {tokens[0].token_id}{tied}.")
            )  # fmt: skip
    for sign, side in _SIDES:
        half = found.half_entropy.of(sign)
        if half is not None:
            sentences.append(Text(f"The entropy has fallen to half of ln V at beta = {half:.4g}, {side}."))
    return sentences


def _section(walk: Sequence[Place], number: int) -> Section:
    states, found = walk[0]
    prompt = printable_text(found.prompt, keep=" ")
    parts: list[Part] = [_curves(states, found)]
    parts += thermo.figures(found, False)
    parts += [part for part in thermo.dominant(_cut(found), False) if not isinstance(part, Text) or part.plain]
    if len(walk) > 1:
        parts += _along(walk)
    return Section(f"{number}. After “{prompt[:80]}”" if number > 1 or prompt else "The distribution", parts)


def _cut(found: Spectrum) -> Spectrum:
    """The same with at most so many tokens at each end as a table lists."""
    from dataclasses import replace

    ends = found.rulers
    if max(len(ends.positive), len(ends.negative)) <= LISTED:
        return found
    return replace(
        found, rulers=replace(ends, positive=ends.positive[:LISTED], negative=ends.negative[:LISTED])
    )  # fmt: skip


def _curves(states: Sequence[Thermo], found: Spectrum) -> Picture:
    """S, U, C and the density of logits."""
    halves = [
        Mark(beta, found.max_entropy / 2, f"S = ln(V)/2 at β = {beta:.3g}")
        for beta in (found.half_entropy.positive, found.half_entropy.negative)
        if beta is not None
    ]
    plateaus = [
        Mark(at.beta, math.log(at.tokens), f"{at.tokens:,.0f} tokens")
        for at in (found.shelf.positive, found.shelf.negative)
        if at is not None
    ]
    panels: list[Panel] = []
    if states:
        panels = [
            pictures.by_beta(
                "entropy S", "nats", states, lambda s: s.entropy,
                (f"ln V = {found.max_entropy:.3f}", found.max_entropy), [*halves, *plateaus],
            ),
            pictures.by_beta("energy U, the mean of -logit", "nats", states, lambda s: s.energy, None),
            pictures.by_beta("heat capacity C, β² times the variance", "C", states, lambda s: s.heat_capacity, None),
        ]  # fmt: skip
    return Picture(
        "Left of the middle, in orange, beta is negative. Where the entropy rests below zero, a group of tokens is "
        "held equally impossible.",
        [*panels, pictures.density(found.density)], [thermo.plain_table(states), _density(found)],
    )  # fmt: skip


def _density(found: Spectrum) -> Table:
    table = Table()
    for name in ("logit from", "to", "tokens"):
        table.add_column(name, justify="right")
    for (low, high), count in zip(pairwise(found.density.edges), found.density.counts, strict=True):
        table.add_row(f"{low:.4f}", f"{high:.4f}", f"{count:,}")
    return table


def _along(walk: Sequence[Place]) -> list[Part]:
    """How it changes along a continuation."""
    summaries = [found for _, found in walk][:LISTED]
    title, table, *changes = thermo.walk(summaries)
    left = [f"{len(walk) - LISTED:,} more positions are in the records."] if len(walk) > LISTED else []
    return [title, table, *left, *changes]
