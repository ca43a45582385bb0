"""Which styles are there, and under which names? The tables live in this package's files, grouped by family."""

from acestep_serverless.engines.sketch.styles.model import Style
from acestep_serverless.engines.sketch.styles.songs import FOLK, POP, ROCK

STYLES: dict[str, Style] = {style.name: style for style in (POP, ROCK, FOLK)}

__all__ = ["STYLES", "Style"]
