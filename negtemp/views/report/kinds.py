"""Which report a run gets, by its command."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from negtemp.printable import printable_text
from negtemp.records import Completion, Record, Summary
from negtemp.views.report import about, asking, audits, centroids, generations, spectra
from negtemp.views.report.document import Report, Saved, Section

Maker = Callable[[Saved, Iterable[Record]], Report]

COMMANDS: Mapping[str, Maker] = {
    "run": generations.generated,
    "compare": generations.generated,
    "spectrum": spectra.spectrum,
    "centroid": centroids.centroid,
    "repeat": asking.repetition,
    "reproduce": asking.reproduction,
    "audit": audits.audit,
    "audit --diff": audits.difference,
    "audit --exhaustive": asking.answers,
    "census": audits.census,
    "scan": audits.scan,
}


def made(saved: Saved, records: Iterable[Record]) -> Report:
    """The report of any run but a sweep's."""
    return _whole(saved, COMMANDS.get(saved.header.command, _unknown)(saved, records))


def of_sweep(saved: Saved, summaries: Iterable[Summary], samples: Iterable[Completion]) -> Report:
    """The report of a sweep, whose summaries an experiment makes."""
    return _whole(saved, generations.swept(saved, list(summaries), list(samples)))


def _whole(saved: Saved, report: Report) -> Report:
    return replace(report, sections=[*report.sections, about.section(saved)], subject=about.subject(saved))


def _unknown(saved: Saved, records: Iterable[Record]) -> Report:
    """A run of a command that this version does not know: how many records of which kind it holds."""
    counts = Counter(record.kind for record in records)
    name = printable_text(saved.header.command, keep=" ")
    held = [f"{count:,} records of the kind {kind}" for kind, count in counts.items()] or ["No records."]
    return Report(f"Records of {name}", "A command that this negtemp does not draw.", [Section("What it holds", held)])
