"""Which styles are there, and under which names? The tables live in this package's files, grouped by family."""

from acestep_serverless.engines.sketch.styles.beats import FUNK, LOFI, REGGAE, TRAP
from acestep_serverless.engines.sketch.styles.club import DRUM_AND_BASS, HOUSE, SYNTHWAVE, TECHNO
from acestep_serverless.engines.sketch.styles.model import Style
from acestep_serverless.engines.sketch.styles.quiet import AMBIENT, BOSSA, CINEMATIC, JAZZ
from acestep_serverless.engines.sketch.styles.songs import BALLAD, FOLK, POP, ROCK

STYLES: dict[str, Style] = {
    style.name: style
    for style in (
        POP,
        ROCK,
        FOLK,
        BALLAD,
        HOUSE,
        TECHNO,
        SYNTHWAVE,
        DRUM_AND_BASS,
        LOFI,
        TRAP,
        FUNK,
        REGGAE,
        JAZZ,
        BOSSA,
        AMBIENT,
        CINEMATIC,
    )
}

__all__ = ["STYLES", "Style"]
