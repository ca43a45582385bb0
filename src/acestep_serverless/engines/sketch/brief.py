"""What is being asked for? A request's words and numbers become one brief: every choice that the whole song shares.

What the request gives is obeyed exactly; then the caption's words decide, then the style's own habits and the seed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.chance import Chance, chance_from
from acestep_serverless.engines.sketch.grids import BEATS_PER_BAR
from acestep_serverless.engines.sketch.lyrics import LyricSection, parse_lyrics
from acestep_serverless.engines.sketch.seats import Seats, negations, read_seats
from acestep_serverless.engines.sketch.styles import STYLES, Style
from acestep_serverless.engines.sketch.styles.model import Drums
from acestep_serverless.engines.sketch.theory import ACCIDENTALS, LETTERS, Key, parse_key
from acestep_serverless.engines.sketch.voice.syllables import language_of, read_line
from acestep_serverless.engines.sketch.words import (
    A_CAPPELLA,
    BPM,
    CHURCH_MODES,
    ERAS,
    KEY,
    KEY_OF,
    METERS,
    MOODS,
    SHORT_KEY,
    TEMPO_WORDS,
    VOICE_WORDS,
    has,
    normalise,
)

# Styles for captions that name none: the ones that suit most words.
OPEN_STYLES = ("pop", "folk", "piano ballad", "synthwave", "lo-fi hip hop")
SLOWEST, FASTEST = 30.0, 300.0
CHOIR = 52
NAMED_DRUMS = STYLES["folk"].drums


@dataclass(frozen=True, slots=True)
class Singing:
    """Who sings: the kind of voice, the words' language, and whether they are hummed because nobody speaks it."""

    kind: str
    language: str
    humming: bool


@dataclass(frozen=True, slots=True)
class Brief:
    """The song in outline.

    `tempo` is in quarter notes per minute, exact when `tempo_given`; `lift` shifts every section's energy; `seats` say
    who plays, `era` which program a role has in its days; `singing` is None where nobody sings; `understood` is what
    the caption was read as, in words, the style first.
    """

    style: Style
    seconds: float
    tempo: float
    tempo_given: bool
    key: Key
    key_scale: str
    meter: str
    lyrics: tuple[LyricSection, ...]
    singing: Singing | None
    lift: float
    seats: Seats
    era: Mapping[str, int]
    understood: tuple[str, ...]
    chance: Chance

    @property
    def beats_per_bar(self) -> float:
        """Quarter notes in a bar; 3.0 in 6/8."""
        return BEATS_PER_BAR[self.meter]

    @property
    def worded(self) -> bool:
        """Whether the lyrics hold words."""
        return any(section.lines for section in self.lyrics)

    @property
    def drums(self) -> Drums | None:
        """What the drummer plays: the style's own, or brushes where it has none and the caption asks for drums."""
        return self.style.drums or (NAMED_DRUMS if "drums" in self.seats.programs else None)


def choose_style(text: str, rng: Random) -> Style:
    """The style whose words the normalised caption holds most of.

    The earlier mention wins a tie; where no word names a style, the seed picks one that suits most words.
    """
    scores: list[tuple[float, int, str]] = []
    for style in STYLES.values():
        found = [(weight, place) for phrase, weight in style.words.items() if (place := has(text, phrase)) >= 0]
        if found:
            scores.append((-sum(weight for weight, _ in found), min(place for _, place in found), style.name))
    if scores:
        return STYLES[min(scores)[2]]
    return STYLES[rng.choice(OPEN_STYLES)]


def choose_tempo(request: GenerationRequest, text: str, style: Style, rng: Random) -> tuple[float, bool]:
    """Quarter notes per minute, and whether the request or the caption named it as a number."""
    if request.bpm is not None:
        return float(request.bpm), True
    for match in BPM.finditer(text):
        named = float(match[1] or match[2])
        if SLOWEST <= named <= FASTEST:
            return named, True
    low, high = style.tempo
    longest = max((word for word in TEMPO_WORDS if has(text, word) >= 0), key=len, default="")
    factor = TEMPO_WORDS[longest] if longest else 1.0
    return min(FASTEST, max(SLOWEST, rng.uniform(low, high) * factor)), False


def named_key(caption: str) -> tuple[int | None, str]:
    """The tonic and the mode that a caption names; None and "" for what it leaves open."""
    text = normalise(caption)
    mode = next((mode for word, mode in CHURCH_MODES.items() if has(text, word) >= 0), "")
    for pattern in (KEY, KEY_OF, SHORT_KEY):
        for match in pattern.finditer(caption):
            letter, accidental, third = (*match.groups(), "")[:3]
            # "a minor key" names a mode and "a major hit" nothing: the article is no tonic, "in a minor" is one.
            article = letter == "a" and not caption[: match.start()].lower().endswith("in ")
            if pattern is KEY and letter == "a" and (article or re.match(r" key\b", caption[match.end() :])):
                continue
            sign = (accidental or "").lower()
            shift = ACCIDENTALS.get(sign, 1 if "sharp" in sign else -1)
            third = (third or "").lower()
            return (LETTERS[letter.upper()] + shift) % 12, "minor" if third in ("m", "min", "minor") else (
                "major" if third else mode
            )
    return None, mode


def choose_key(request: GenerationRequest, text: str, style: Style, rng: Random) -> Key:
    """The key that the request gives, the caption names, or the moods and the style make likely."""
    if request.key_scale:
        return parse_key(request.key_scale)
    tonic, mode = named_key(request.caption)
    seeded = rng.choice((0, 2, 3, 4, 5, 7, 9, 10))
    roll = rng.random()
    if not mode and tonic is None:
        pull = sum(minor for word, (minor, _) in MOODS.items() if has(text, word) >= 0)
        mode = "minor" if roll < style.minor + 0.6 * pull else "major"
    return Key(seeded if tonic is None else tonic, mode or "major")


def choose_meter(request: GenerationRequest, text: str, style: Style) -> str:
    """The meter that the request gives or the caption names, else the style's own."""
    if request.time_signature:
        return request.time_signature
    named = (meter for pattern, meter in METERS if re.search(rf"(?:^| )(?:{pattern})(?: |$)", text))
    return next(named, style.meter)


def choose_singing(request: GenerationRequest, text: str, style: Style, seats: Seats, rng: Random) -> Singing | None:
    """Who sings the lyrics: the kind of voice that the caption names, else one that the seed picks for the style."""
    if not request.lyrics.strip() or "voice" in seats.silent:
        return None
    seeded = rng.choice(style.voices)
    longest = max((word for word in VOICE_WORDS if has(text, word) >= 0), key=len, default="")
    if not any(section.lines for section in parse_lyrics(request.lyrics)):
        return None
    language, sung = language_of(request.vocal_language, request.lyrics)
    return Singing(VOICE_WORDS.get(longest, seeded), language, not sung)


def read_lyrics(text: str, singing: Singing | None) -> tuple[LyricSection, ...]:
    """The lyrics in sections; lines that are sung have the syllables that their language gives them."""
    if singing is None:
        return parse_lyrics(text)
    return parse_lyrics(text, lambda line: len(read_line(line, singing.language)))


def choose_era(text: str) -> dict[str, int]:
    """The programs by role of the decades that the text names."""
    return {role: program for era, row in ERAS.items() if has(text, era) >= 0 for role, program in row.items()}


def understood(text: str, style: Style, seats: Seats, singing: Singing | None) -> tuple[str, ...]:
    """What the caption was read as, in words: the style, moods, decades, tempo words, who plays and who does not."""
    said = [word for table in (MOODS, ERAS, TEMPO_WORDS) for word in table if has(text, word) >= 0]
    solo = ["solo"] if seats.solo is not None else []
    voice = [f"{singing.kind} voice"] if singing else []
    without = [f"no {word}" for word in seats.left_out]
    words = dict.fromkeys((*said, *solo, *seats.named))
    news = [
        word for word in words if not any(has(longer, word) >= 0 for longer in (style.name, *words) if longer != word)
    ]
    return tuple(dict.fromkeys([style.name, *news, *voice, *without]))


def make_brief(request: GenerationRequest, seed: int) -> Brief:
    """Read a request. Raises ValueError when key_scale or time_signature has a shape that no request may have."""
    if request.time_signature and request.time_signature not in BEATS_PER_BAR:
        raise ValueError(f"not a time signature: {request.time_signature!r}")
    chance = chance_from(seed, request.caption, request.lyrics)
    text, dropped = negations(normalise(request.caption))
    style = choose_style(text, chance.of("style"))
    tempo, given = choose_tempo(request, text, style, chance.of("tempo"))
    key = choose_key(request, text, style, chance.of("key"))
    seats = read_seats(text, dropped, style.programs)
    singing = choose_singing(request, text, style, seats, chance.of("voice"))
    if singing and any(has(text, word) >= 0 for word in A_CAPPELLA):
        seats = read_seats(text, [*dropped, "drums"], style.programs).alone(CHOIR)
    lyrics = read_lyrics(request.lyrics, singing)
    return Brief(
        style=style,
        seconds=float(request.duration),
        tempo=tempo,
        tempo_given=given,
        key=key,
        key_scale=request.key_scale or key.name,
        meter=choose_meter(request, text, style),
        lyrics=lyrics,
        singing=singing,
        lift=max(-0.25, min(0.25, sum(lift for word, (_, lift) in MOODS.items() if has(text, word) >= 0))),
        seats=seats,
        era=choose_era(text),
        understood=understood(text, style, seats, singing),
        chance=chance,
    )
