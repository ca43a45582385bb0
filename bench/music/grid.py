"""Which songs are judged? Captions as people write them, each free and with tempo, key and meter given, over seeds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from acestep_serverless.engines.base import GenerationRequest

CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "pop": "catchy pop song",
        "indie": "indie band with jangly guitars",
        "rock": "driving rock song",
        "punk": "fast punk rock",
        "metal": "heavy metal with distorted guitars",
        "house": "deep house track for the dance floor",
        "techno": "dark techno",
        "trance": "uplifting trance anthem",
        "drum and bass": "drum and bass with a rolling bass line",
        "dubstep": "heavy dubstep drop",
        "synthwave": "synthwave, eighties night drive",
        "ambient": "calm ambient soundscape",
        "lo-fi": "lo-fi hip hop beats to study to",
        "hip hop": "boom bap hip hop beat",
        "trap": "trap beat with 808s",
        "funk": "funk groove with slap bass",
        "soul": "warm soul music",
        "r&b": "smooth R&B",
        "disco": "seventies disco",
        "blues": "slow blues in a smoky bar",
        "jazz": "swinging jazz quartet",
        "bossa nova": "bossa nova on a quiet beach",
        "salsa": "hot salsa band",
        "reggaeton": "reggaeton party",
        "reggae": "laid back roots reggae",
        "afrobeat": "afrobeat with horns",
        "country": "country song with a twang",
        "folk": "acoustic folk song",
        "celtic": "celtic dance tune",
        "classical piano": "classical piano piece",
        "string quartet": "string quartet",
        "cinematic": "epic cinematic orchestra",
        "chiptune": "chiptune for an 8-bit game",
        "lullaby": "gentle lullaby",
        "waltz": "viennese waltz",
        "march": "military march",
    }
)
"""Label by label, a caption of words that do not come from the engine's own tables."""

KEYS = (
    "C major",
    "A minor",
    "Eb major",
    "F# minor",
    "G major",
    "D minor",
    "Bb major",
    "C# minor",
    "E major",
    "F minor",
)
TEMPOS = (68, 76, 84, 92, 100, 108, 116, 124, 132, 140, 156, 172)
METERS = ("4", "4", "4", "3", "4", "4", "6", "4", "2")
FREE_METERS = frozenset({"waltz"})
"""Labels that name their own meter: none is given beside them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One song of the grid: its label, the request, and whether tempo, key and meter were given in it."""

    label: str
    given: bool
    request: GenerationRequest

    @property
    def seed(self) -> int:
        """The song's seed."""
        return self.request.seeds[0]

    @property
    def name(self) -> str:
        """The case in words, for a table."""
        return f"{self.label} ({'given' if self.given else 'free'}, seed {self.seed})"


def cases(*, free: int, given: int, seconds: float, labels: tuple[str, ...] = ()) -> Iterator[Case]:
    """Yield `free` songs a label that choose for themselves, then `given` songs with tempo, key and meter, all of
    `seconds`; `labels` () is all of them."""
    for number, (label, caption) in enumerate(CAPTIONS.items()):
        if labels and label not in labels:
            continue
        for seed in range(free):
            yield Case(label, False, GenerationRequest(caption, "", seconds, (seed,)))
        for turn in range(given):
            yield Case(label, True, _given(label, caption, seconds, number + 17 * turn, 1000 + turn))


def _given(label: str, caption: str, seconds: float, step: int, seed: int) -> GenerationRequest:
    """A request whose tempo, key and meter walk through their tables at different paces."""
    return GenerationRequest(
        caption,
        "",
        seconds,
        (seed,),
        bpm=TEMPOS[5 * step % len(TEMPOS)],
        key_scale=KEYS[7 * step % len(KEYS)],
        time_signature="3" if label in FREE_METERS else METERS[2 * step % len(METERS)],
    )
