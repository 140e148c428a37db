"""What the live displays of downloads and of a sync have in common."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TextColumn
from rich.table import Column
from rich.text import Text

from ._format import length_text, rate_text, size_text


_REFRESH = 8


class _Name(TextColumn):
    """What is fetched: on a narrow terminal it is cut before the figures are."""

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def bars_on(console: Console) -> Progress:
    """Return a display of bars, each with its name in front and its ``figures`` behind."""
    return Progress(
        _Name("{task.description}", markup=False, table_column=Column()),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        refresh_per_second=_REFRESH,
        transient=True,
    )


def bytes_text(done: int, total: int | None, rate: float, eta: float | None) -> str:
    """Return ``100.0 MiB of 270.0 MiB, 4.5 MiB/s, ETA 0:38``, as far as it is known."""
    parts = (
        size_text(done) if total is None else f"{size_text(done)} of {size_text(total)}",
        rate_text(rate),
        "" if eta is None else f"ETA {length_text(eta)}",
    )
    return ", ".join(part for part in parts if part)
