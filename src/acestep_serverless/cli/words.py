"""How do rows, times and sizes look on a terminal? Plain columns that keep every character, and times in words."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDEST = 10_000
"""Columns that a table may take: more than any row has."""
_STEPS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def say(text: str, *, aside: bool = False) -> None:
    """Print a line as it is but for what a terminal would obey; `aside` puts it on standard error."""
    Console(stderr=aside, highlight=False, soft_wrap=True).print(printable(text), markup=False)


def say_json(value: object) -> None:
    """Print a value as one line of JSON, in ASCII: a stored text can then not speak to a terminal."""
    say(json.dumps(value))


def say_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their heads in plain columns; None is shown as a dash. As wide as its cells are, whatever the
    terminal: an id that is folded or cut cannot be copied."""
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*(Text(printable("-" if cell is None else str(cell))) for cell in row))
    console = Console(highlight=False, width=WIDEST)
    console.print(table, soft_wrap=True)


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of showing: clients and handlers wrote some of these texts."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def length(milliseconds: int | None) -> str | None:
    """Say a length of time in its largest unit: 950 ms, 12.3 s, 4.0 min, 2.5 h, 7.0 d; None stays None."""
    if milliseconds is None:
        return None
    for size, unit in _STEPS:
        if milliseconds >= size:
            return f"{milliseconds / size:.1f} {unit}"
    return f"{milliseconds} ms"


def moment(at: int | None, now: int) -> str | None:
    """Say when something was or will be (ms since 1970): in UTC, and how long from now; None stays None."""
    if at is None:
        return None
    distance = f"{length(now - at)} ago" if at <= now else f"in {length(at - now)}"
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC ({distance})"


def ago(at: int | None, now: int) -> str | None:
    """Say how long ago something was (ms since 1970); None stays None."""
    return None if at is None else f"{length(max(0, now - at))} ago"
