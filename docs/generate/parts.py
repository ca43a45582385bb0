"""Which parts of the pages are made from the code, or from another page? A table of what makes each, by its mark."""

from collections.abc import Callable, Mapping
from pathlib import Path

from http_page import routes
from marks import filled
from settings_table import bounds_table, settings_table

DOCS = Path(__file__).resolve().parents[1]


def differences() -> str:
    """Give the table of docs/api.md that tells this gateway from the platform."""
    section = (DOCS / "api.md").read_text("utf-8").partition("## What differs from the platform\n\n")[2]
    return section.partition("\n\n")[0]


PARTS: Mapping[tuple[str, str], Callable[[], str]] = {
    ("configuration.md", "settings"): settings_table,
    ("configuration.md", "bounds"): bounds_table,
    ("http.md", "routes"): routes,
    ("moving.md", "differences"): differences,
}
"""What makes each part, by page and mark."""


def write_parts(*, check: bool) -> list[str]:
    """Make every part; give the names of those that differed. With `check` nothing is written."""
    differed = []
    for (page, name), make in PARTS.items():
        path = DOCS / page
        old = path.read_text("utf-8")
        new = filled(old, name, make())
        if new != old:
            differed.append(f"docs/{page}: {name}")
            if not check:
                path.write_text(new, "utf-8")
    return differed
