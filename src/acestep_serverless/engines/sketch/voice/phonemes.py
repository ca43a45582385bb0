"""What kind of sound is a phoneme? Its IPA name tells whether it carries a syllable and whether it has a pitch."""

from itertools import pairwise

VOWELS = frozenset("aeiouyɐɑɒæəɚɘɛɜɝɞɤɨɪɔøɵœɶʉʊʌʏɯᵻäåɿʅ")
"""Letters of IPA that carry a syllable."""

UNVOICED = frozenset("pftkcqhʔsʃθxχɕçʂħʈɸʍɬʜ")
"""First letters of IPA of sounds without a pitch."""

STOPS = frozenset("pbtdkɡgcɟqɢʈɖʔ")
GLIDES = frozenset("jwɹrlɾʋɻɥʎɫʀʁ")
"""Sounds that stand between another consonant and a vowel in one syllable: "pl", "tr", "kw"."""

SYLLABIC = "\u0329"
# What carries a syllable in a word without a vowel ("prst", "krk"), the most sonorous first.
SONOROUS = "rɹɾlɫmnŋɲvzʒ"


def is_nucleus(name: str) -> bool:
    """Say whether a phoneme carries a syllable: a vowel, or a consonant marked as syllabic."""
    return SYLLABIC in name or any(letter in VOWELS for letter in name)


def is_voiced(name: str) -> bool:
    """Say whether a phoneme has a pitch; a pause has none."""
    return bool(name) and name[0] not in UNVOICED


def is_double(name: str) -> bool:
    """Say whether a sound moves from one place to another, as a diphthong; a sign of length is no second sound."""
    return sum(1 for letter in name if letter != "ː") > 1


def is_stop(name: str) -> bool:
    """Say whether a phoneme is a closure and a burst ("t", also "tʃ")."""
    return bool(name) and name[0] in STOPS


def nuclei(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return which phonemes of a word carry its syllables: none where it is a single consonant, as Russian "v"."""
    found = tuple(index for index, name in enumerate(names) if is_nucleus(name))
    if found or len(names) < 2:
        return found
    sonorous = [index for letter in SONOROUS for index, name in enumerate(names) if name[:1] == letter]
    return (sonorous[0],) if sonorous else (len(names) - 1,)


def boundaries(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return where the syllables of a word begin: the first at 0, each later one with the consonants before its vowel.

    One consonant between two vowels begins the second syllable; of several, the last does, with a stop or a fricative
    before it where it is a glide ("dark-ness", "a-pple", "um-brel-la").
    """
    kernels = nuclei(names)
    starts = [0]
    for before, kernel in pairwise(kernels):
        start = kernel
        if start - 1 > before:
            start -= 1
        if (
            start < kernel
            and start - 1 > before
            and names[start][:1] in GLIDES
            and names[start - 1][:1] not in GLIDES | set("mnŋɲ")
        ):
            start -= 1
        starts.append(start)
    return tuple(starts[: max(1, len(kernels))])
