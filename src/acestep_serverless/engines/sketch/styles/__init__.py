"""Which styles are there, and under which names? The tables live in this package's files, grouped by family."""

from acestep_serverless.engines.sketch.styles.beats import FUNK, LOFI, REGGAE, TRAP
from acestep_serverless.engines.sketch.styles.classical import BAROQUE, CLASSICAL_PIANO, ORCHESTRAL, STRING_QUARTET
from acestep_serverless.engines.sketch.styles.club import DRUM_AND_BASS, HOUSE, SYNTHWAVE, TECHNO
from acestep_serverless.engines.sketch.styles.dance import CHIPTUNE, DISCO, DUBSTEP, TRANCE
from acestep_serverless.engines.sketch.styles.guitars import BLUES, COUNTRY, INDIE, METAL, PUNK
from acestep_serverless.engines.sketch.styles.latin import AFROBEAT, REGGAETON, SALSA, SKA, TANGO
from acestep_serverless.engines.sketch.styles.model import Style
from acestep_serverless.engines.sketch.styles.quiet import AMBIENT, BOSSA, CINEMATIC, JAZZ
from acestep_serverless.engines.sketch.styles.roots import CELTIC, LULLABY, MARCH, WALTZ
from acestep_serverless.engines.sketch.styles.songs import BALLAD, FOLK, POP, ROCK
from acestep_serverless.engines.sketch.styles.soulful import GOSPEL, HIP_HOP, RNB, SOUL

_FAMILIES = (
    (POP, ROCK, FOLK, BALLAD),
    (INDIE, PUNK, METAL, BLUES, COUNTRY),
    (HOUSE, TECHNO, SYNTHWAVE, DRUM_AND_BASS),
    (TRANCE, DUBSTEP, DISCO, CHIPTUNE),
    (LOFI, TRAP, FUNK, REGGAE),
    (HIP_HOP, SOUL, RNB, GOSPEL),
    (SALSA, REGGAETON, AFROBEAT, TANGO, SKA),
    (JAZZ, BOSSA, AMBIENT, CINEMATIC),
    (CLASSICAL_PIANO, STRING_QUARTET, BAROQUE, ORCHESTRAL),
    (CELTIC, LULLABY, WALTZ, MARCH),
)
STYLES: dict[str, Style] = {style.name: style for family in _FAMILIES for style in family}

__all__ = ["STYLES", "Style"]
