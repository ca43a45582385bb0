"""Who plays a part? The SoundFont's recording of its program, or an electronic voice where that sounds better."""

from acestep_serverless.engines.sketch.kits import (
    CONSOLE_KIT,
    ELECTRONIC_KITS,
    ElectronicKit,
    console_kit,
    kick_hertz,
    rising_noise,
)
from acestep_serverless.engines.sketch.parts_build import SWEEP
from acestep_serverless.engines.sketch.sampler import SampledInstrument
from acestep_serverless.engines.sketch.score import Part
from acestep_serverless.engines.sketch.soundfont import DRUM_BANK, SoundFont
from acestep_serverless.engines.sketch.synth import VOICES
from acestep_serverless.engines.sketch.tone import Instrument


def instrument_for(part: Part, font: SoundFont, tonic: int | None = None) -> Instrument:
    """Return the instrument of a part; `tonic` (0 to 11) tunes a computed bass drum to the song."""
    if part.role == "drums":
        if part.program == CONSOLE_KIT:
            return console_kit
        kit = SampledInstrument(font, DRUM_BANK, part.program)
        return ElectronicKit(kit, kick_hertz(tonic)) if part.program in ELECTRONIC_KITS else kit
    if part.program == SWEEP:
        return rising_noise
    return VOICES.get(part.program) or SampledInstrument(font, 0, part.program)
