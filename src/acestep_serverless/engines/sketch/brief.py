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
from acestep_serverless.engines.sketch.styles import STYLES, Style
from acestep_serverless.engines.sketch.theory import ACCIDENTALS, LETTERS, Key, parse_key
from acestep_serverless.engines.sketch.words import (
    BPM,
    INSTRUMENTS,
    KEY,
    METERS,
    MOODS,
    SOLO,
    SOLOISTS,
    TEMPO_WORDS,
    has,
    normalise,
    split_negations,
)

# Styles for captions that name none: the ones that suit most words.
OPEN_STYLES = ("pop", "folk", "piano ballad", "synthwave", "lo-fi hip hop")
SLOWEST, FASTEST = 30.0, 300.0


@dataclass(frozen=True, slots=True)
class Brief:
    """The song in outline.

    `tempo` is in quarter notes per minute, exact when `tempo_given`; `lift` shifts every section's energy; `programs`
    overrides instruments by role; `silent` roles do not play; `solo` is the one program that plays everything.
    """

    style: Style
    seconds: float
    tempo: float
    tempo_given: bool
    key: Key
    key_scale: str
    meter: str
    lyrics: tuple[LyricSection, ...]
    lift: float
    programs: Mapping[str, int]
    silent: frozenset[str]
    solo: int | None
    chance: Chance

    @property
    def beats_per_bar(self) -> float:
        """Quarter notes in a bar; 3.0 in 6/8."""
        return BEATS_PER_BAR[self.meter]

    @property
    def sung(self) -> bool:
        """Whether the lyrics hold words."""
        return any(section.syllables for section in self.lyrics)


def choose_style(text: str, rng: Random) -> Style:
    """The style whose words the normalised caption holds most of.

    The earlier mention wins a tie; where no word names a style, the seed picks one that suits most words.
    """
    scores: list[tuple[float, int, str]] = []
    for style in STYLES.values():
        found = [(weight, has(text, phrase)) for phrase, weight in style.words.items() if has(text, phrase) >= 0]
        if found:
            scores.append((-sum(weight for weight, _ in found), min(place for _, place in found), style.name))
    if scores:
        return STYLES[min(scores)[2]]
    return STYLES[rng.choice([name for name in OPEN_STYLES if name in STYLES])]


def choose_tempo(request: GenerationRequest, text: str, style: Style, rng: Random) -> tuple[float, bool]:
    """Quarter notes per minute, and whether the request or the caption named it as a number."""
    if request.bpm is not None:
        return float(request.bpm), True
    named = BPM.search(text)
    if named and SLOWEST <= float(named[1]) <= FASTEST:
        return float(named[1]), True
    low, high = style.tempo
    factor = 1.0
    longest = max((word for word in TEMPO_WORDS if has(text, word) >= 0), key=len, default="")
    if longest:
        factor = TEMPO_WORDS[longest]
    return min(FASTEST, max(SLOWEST, rng.uniform(low, high) * factor)), False


def choose_key(request: GenerationRequest, text: str, style: Style, rng: Random) -> Key:
    """The key that the request gives, the caption names, or the moods and the style make likely."""
    if request.key_scale:
        return parse_key(request.key_scale)
    tonic = rng.choice((0, 2, 3, 4, 5, 7, 9, 10))
    roll = rng.random()
    named = KEY.search(request.caption)
    if named:
        letter, accidental, mode = named.groups()
        shift = ACCIDENTALS.get(accidental or "", 1 if "sharp" in (accidental or "") else -1)
        return Key((LETTERS[letter] + shift) % 12, mode)
    if has(text, "minor") >= 0 or has(text, "major") >= 0:
        return Key(tonic, "minor" if has(text, "minor") >= 0 else "major")
    pull = sum(minor for word, (minor, _) in MOODS.items() if has(text, word) >= 0)
    return Key(tonic, "minor" if roll < style.minor + 0.6 * pull else "major")


def choose_meter(request: GenerationRequest, text: str) -> str:
    """The meter that the request gives or the caption names; 4/4 otherwise."""
    if request.time_signature:
        return request.time_signature
    return next((meter for pattern, meter in METERS if re.search(rf"(?:^| )(?:{pattern})(?: |$)", text)), "4")


def choose_players(text: str) -> tuple[dict[str, int], int | None]:
    """Programs by role for the instruments that the caption names, longest names first, and the solo program if any."""
    programs: dict[str, int] = {}
    rest = f" {text} "
    for name in sorted(INSTRUMENTS, key=len, reverse=True):
        if f" {name} " in rest:
            program, roles = INSTRUMENTS[name]
            programs.update({role: program for role in roles if role not in programs})
            rest = rest.replace(f" {name} ", "  ")
    for match in SOLO.finditer(text):
        named = [word for word in (match[1] or match[2]).split() if word in SOLOISTS]
        if named:
            return programs, SOLOISTS[named[0]]
    return programs, None


def make_brief(request: GenerationRequest, seed: int) -> Brief:
    """Read a request. Raises ValueError when key_scale or time_signature has a shape that no request may have."""
    if request.time_signature and request.time_signature not in BEATS_PER_BAR:
        raise ValueError(f"not a time signature: {request.time_signature!r}")
    chance = chance_from(seed, request.caption, request.lyrics)
    text, silent = split_negations(normalise(request.caption))
    style = choose_style(text, chance.of("style"))
    tempo, given = choose_tempo(request, text, style, chance.of("tempo"))
    key = choose_key(request, text, style, chance.of("key"))
    programs, solo = choose_players(text)
    return Brief(
        style=style,
        seconds=float(request.duration),
        tempo=tempo,
        tempo_given=given,
        key=key,
        key_scale=request.key_scale or key.name,
        meter=choose_meter(request, text),
        lyrics=parse_lyrics(request.lyrics),
        lift=max(-0.25, min(0.25, sum(lift for word, (_, lift) in MOODS.items() if has(text, word) >= 0))),
        programs=programs,
        silent=silent,
        solo=solo,
        chance=chance,
    )
