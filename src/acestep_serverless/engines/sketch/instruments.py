"""Who plays a part? The SoundFont's recording of its program, or an electronic voice where that sounds better."""

from dataclasses import dataclass

from acestep_serverless.engines.sketch.sampler import SampledInstrument
from acestep_serverless.engines.sketch.score import Part
from acestep_serverless.engines.sketch.soundfont import DRUM_BANK, SoundFont
from acestep_serverless.engines.sketch.synth import ELECTRONIC_KITS, KICKS, VOICES, electronic_kick
from acestep_serverless.engines.sketch.tone import Instrument, Tone


@dataclass(frozen=True, slots=True)
class ElectronicKit:
    """A drum kit whose bass drum is computed: an Instrument (see tone.py)."""

    recorded: SampledInstrument

    def __call__(self, pitch: int, layer: int, held: int) -> Tone | None:
        """Return the computed kick, or the recording of any other drum."""
        return electronic_kick(layer) if pitch in KICKS else self.recorded(pitch, layer, held)


def instrument_for(part: Part, font: SoundFont) -> Instrument:
    """Return the instrument of a part."""
    if part.role == "drums":
        kit = SampledInstrument(font, DRUM_BANK, part.program)
        return ElectronicKit(kit) if part.program in ELECTRONIC_KITS else kit
    return VOICES.get(part.program) or SampledInstrument(font, 0, part.program)
