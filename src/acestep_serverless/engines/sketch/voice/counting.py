"""How many syllables does a word have that nobody can pronounce? Vowel groups are counted, or characters.

Vowel groups in alphabets with vowels, one per character in Chinese, Japanese and Korean; a count off by one costs one
note.
"""

import re
import unicodedata
from itertools import pairwise

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
# Letters with their marks: in Indic scripts and Thai the vowels of a word are combining marks.
WORD = re.compile(
    r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u0670\u0900-\u0e4e]|['\u2019](?=[^\W\d_]))*|\d+"
)


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


def divided(word: str, parts: int) -> tuple[str, ...]:
    """The word's letters in `parts` pieces, the longer ones first; pieces are empty where letters run out."""
    short, longer = divmod(len(word), parts)
    ends = [index * short + min(index, longer) for index in range(parts + 1)]
    return tuple(word[first:last] for first, last in pairwise(ends))
