"""The models on this machine: what to give as a model, its size, and what is wrong with it."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from negtemp.records import LocalModel
from negtemp.records.local_model import size_text

_COLUMNS_BETWEEN = 2


def listing(models: Sequence[LocalModel]) -> RenderableType:
    """A line a model; those that cannot be used say why."""
    table = Table(box=None, padding=(0, _COLUMNS_BETWEEN, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    if any(model.problem for model in models):
        table.add_column("", overflow="fold", style="dim")
    for model in models:
        row = [Text(model.reference), Text(size_text(model.size) if model.size else "-")]
        table.add_row(*row, *([Text(model.problem)] if model.problem else []))
    return table
