"""What do the lyrics ask of the music? Their section tags become a form, their lines become note counts.

Tags are lines such as "[Verse 1]" or "[Chorus - loud]"; a tag of unknown name is a verse of its own. Lyrics without any
tag fall into stanzas at blank lines. Whoever sings the lines says how many syllables they have.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from acestep_serverless.engines.sketch.voice.counting import line_syllables

# Square brackets, the usual ones and the full-width ones of Chinese and Japanese sheets.
TAG = re.compile(r"^\s*[\[\u3010]\s*([^\]\u3011]{1,80})[\]\u3011]\s*$")
# The first words that match decide; section names on the right are the composer's own.
TAG_NAMES: tuple[tuple[str, str], ...] = (
    (r"pre ?chorus|build|lift|rise|climb", "prechorus"),
    (r"post ?chorus|chorus|hook|refrain|drop", "chorus"),
    (r"bridge|break|middle|breakdown", "bridge"),
    (r"intro|opening|prelude|start", "intro"),
    (r"outro|end|ending|coda|fade", "outro"),
    (r"inst|instrumental|solo|interlude|.* solo|.* break|.* interlude", "instrumental"),
)
# What no closing bracket follows is a line of words, whatever was meant.
UNCLOSED = re.compile(r"^\s*[\[\u3010][^\]\u3011]*$")
# More syllables than this are sung in several breaths.
LONGEST_LINE = 20
PAUSE = re.compile(r"[,;:.!?\u3001\u3002\uff0c\u060c]\s*")

Count = Callable[[str], int]
"""How many syllables a line has; 0 where it holds no word."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of words and its syllable count, at least 1."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class LyricSection:
    """One tagged stretch: its section name and its sung lines (none: instrumental)."""

    name: str
    lines: tuple[Line, ...]


def section_name(tag: str) -> str:
    """The composer's name for a tag's text; an unknown one is a verse."""
    words = re.sub(r"[^a-z ]+", " ", tag.lower().replace("-", " ").split(":")[0])
    words = " ".join(words.split())
    for pattern, name in TAG_NAMES:
        if re.match(rf"(?:{pattern})\b", words):
            return name
    return "verse"


def said_of_tags(text: str) -> tuple[str, ...]:
    """What the writer of the lyrics should know: which lines look like tags and are sung, since they are not closed."""
    unclosed = [line.strip() for line in text.splitlines() if UNCLOSED.match(line) and line_syllables(line)]
    return tuple(
        f"lyrics: {line[:40]!r} is taken as words, not as a tag: it has no closing bracket" for line in unclosed[:3]
    )


def breaths(text: str, count: Count) -> list[str]:
    """A line in pieces that one breath can sing: cut at a comma near its middle, else at a space, else in half."""
    if count(text) <= LONGEST_LINE or len(text) < 2:
        return [text]
    middle, third = len(text) // 2, len(text) // 6
    cuts = [match.end() for match in PAUSE.finditer(text) if abs(match.end() - middle) <= third]
    cuts = cuts or [match.end() for match in re.finditer(r"\s", text)] or [middle]
    cut = min((cut for cut in cuts if 0 < cut < len(text)), key=lambda place: abs(place - middle), default=middle)
    return [*breaths(text[:cut].strip(), count), *breaths(text[cut:].strip(), count)]


def counted(texts: Iterable[str], count: Count) -> tuple[Line, ...]:
    """The lines that hold words, with their syllables; long ones in several breaths."""
    pieces = (piece for text in texts for piece in breaths(text.strip(), count))
    return tuple(Line(piece, number) for piece in pieces if (number := count(piece)))


def stanza_sections(text: str, count: Count) -> tuple[LyricSection, ...]:
    """Untagged lyrics: a stanza that comes again is a chorus; where none does, every second one is."""
    stanzas = [counted(block.splitlines(), count) for block in re.split(r"\n\s*\n", text.strip())]
    stanzas = [stanza for stanza in stanzas if stanza]
    again = {stanza for stanza, times in Counter(stanzas).items() if times > 1}
    chorus = [stanza in again if again else index % 2 == 1 for index, stanza in enumerate(stanzas)]
    return tuple(
        LyricSection("chorus" if loud else "verse", stanza) for stanza, loud in zip(stanzas, chorus, strict=True)
    )


def parse_lyrics(text: str, count: Count = line_syllables) -> tuple[LyricSection, ...]:
    """Split lyrics into their sections, in order. Blank text, or the single tag [instrumental], gives none."""
    tags = [TAG.match(line) for line in text.splitlines()]
    if not any(tags):
        return stanza_sections(text, count)
    sections: list[tuple[str, list[str]]] = []
    for line, tag in zip(text.splitlines(), tags, strict=True):
        if tag is not None:
            sections.append((section_name(tag[1]), []))
        elif count(line):
            if not sections:
                sections.append(("verse", []))
            sections[-1][1].append(line)
    found = tuple(LyricSection(name, counted(lines, count)) for name, lines in sections)
    return () if found == (LyricSection("instrumental", ()),) else found
