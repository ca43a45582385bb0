"""What do the lyrics ask of the music? Their section tags become a form, their lines become note counts.

Tags are lines such as "[Verse 1]" or "[Chorus - loud]"; a tag of unknown name is a verse of its own. Lyrics without any
tag fall into stanzas at blank lines. Syllables are counted by vowel groups in alphabets with vowels, one per character
in Chinese, Japanese and Korean; a count off by one costs one note.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

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
# Latin, Greek and Cyrillic vowels, after accents have been stripped.
VOWELS = frozenset(
    "aeiouy\u00f8\u0131\u0259\u03b1\u03b5\u03b7\u03b9\u03bf\u03c5\u03c9"
    "\u0430\u0435\u0438\u043e\u0443\u044b\u044d\u044e\u044f\u0451\u0454\u0456\u0457"
)
CONSONANT_Y = re.compile("y(?=[" + "".join(sorted(VOWELS - {"y"})) + "])")
ONE_EACH = (
    (0x3041, 0x30FF),  # kana
    (0x3400, 0x4DBF),  # Chinese, extension A
    (0x4E00, 0x9FFF),  # Chinese
    (0xAC00, 0xD7A3),  # Hangul syllables
)
SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d+")


@dataclass(frozen=True, slots=True)
class LyricSection:
    """One tagged stretch: its section name and the syllable count of each of its sung lines (none: instrumental)."""

    name: str
    syllables: tuple[int, ...]


def section_name(tag: str) -> str:
    """The composer's name for a tag's text; an unknown one is a verse."""
    words = re.sub(r"[^a-z ]+", " ", tag.lower().replace("-", " ").split(":")[0])
    words = " ".join(words.split())
    for pattern, name in TAG_NAMES:
        if re.match(rf"(?:{pattern})\b", words):
            return name
    return "verse"


def word_syllables(word: str) -> int:
    """How many syllables a word has, at least one."""
    singles = sum(1 for letter in word if any(low <= ord(letter) <= high for low, high in ONE_EACH))
    if singles:
        return max(1, singles - sum(1 for letter in word if letter in SMALL_KANA))
    if word.isdigit():
        return min(len(word), 4)
    plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))
    # A "y" before a vowel is a consonant ("playa", "yes") and parts the vowels around it.
    plain = CONSONANT_Y.sub("j", plain)
    groups = sum(1 for i, c in enumerate(plain) if c in VOWELS and (i == 0 or plain[i - 1] not in VOWELS))
    if groups > 1 and word.isascii() and plain.endswith("e") and not plain.endswith(("le", "ee", "ie", "ye")):
        groups -= 1
    if groups == 0 and not plain.isascii():
        groups = (len(plain) + 1) // 3
    return max(1, groups)


def line_syllables(line: str) -> int:
    """The syllable count of a line of lyrics; 0 when it holds no word."""
    return sum(word_syllables(word) for word in WORD.findall(line))


def stanza_sections(text: str) -> tuple[LyricSection, ...]:
    """Untagged lyrics: a stanza that comes again is a chorus; where none does, every second one is."""
    stanzas = [tuple(line.strip() for line in block.splitlines()) for block in re.split(r"\n\s*\n", text.strip())]
    stanzas = [stanza for stanza in stanzas if any(line_syllables(line) for line in stanza)]
    again = {stanza for stanza, times in Counter(stanzas).items() if times > 1}
    chorus = [stanza in again if again else index % 2 == 1 for index, stanza in enumerate(stanzas)]
    return tuple(
        LyricSection("chorus" if loud else "verse", tuple(filter(None, map(line_syllables, stanza))))
        for stanza, loud in zip(stanzas, chorus, strict=True)
    )


def parse_lyrics(text: str) -> tuple[LyricSection, ...]:
    """Split lyrics into their sections, in order. Blank text, or the single tag [instrumental], gives none."""
    tags = [TAG.match(line) for line in text.splitlines()]
    if not any(tags):
        return stanza_sections(text)
    sections: list[tuple[str, list[int]]] = []
    for line, tag in zip(text.splitlines(), tags, strict=True):
        if tag is not None:
            sections.append((section_name(tag[1]), []))
        elif count := line_syllables(line):
            if not sections:
                sections.append(("verse", []))
            sections[-1][1].append(count)
    if sections == [("instrumental", [])]:
        return ()
    return tuple(LyricSection(name, tuple(counts)) for name, counts in sections)
