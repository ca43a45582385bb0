"""In which language are the words? The request's code, or a guess by script, letters and little words.

The guess goes by what is rarest: a script of its own names the language (Arabic and Cyrillic letters of one language
only before the script's most spoken one), then Latin letters that one language has, then two different words or more
out of its commonest.
"""

import re

# The language codes of ACE-Step (contract/acestep_parameters.py) and the eSpeak NG voice for each.
_SAME_NAME = (
    "ar az bg bn ca cs da de el es fa fi fr he hi hr ht hu id is it ja ko la lt ms ne nl pa pl ro ru sk sr sv sw ta te "
    "th tr uk ur vi yue"
)
VOICES = {code: code for code in _SAME_NAME.split()} | {"en": "en-us", "no": "nb", "pt": "pt-br", "zh": "cmn"}

SUNG_LANGUAGES = frozenset(VOICES)
"""The codes of ACE-Step's list that eSpeak NG speaks: all but Sanskrit (sa) and Tagalog (tl)."""

DEFAULT = "en"

_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("ja", "[\u3041-\u30ff]"),
    ("ko", "[\uac00-\ud7a3]"),
    ("yue", "[\u5605\u5481\u55ba\u4f62\u5514\u5187\u54cb\u5569\u7747]"),
    ("zh", "[\u3400-\u9fff]"),
    ("ur", "[\u0679\u0688\u0691\u06ba\u06d2]"),
    ("fa", "[\u067e\u0686\u0698\u06af]"),
    ("ar", "[\u0621-\u064a]"),
    ("he", "[\u05d0-\u05ea]"),
    ("hi", "[\u0904-\u0939]"),
    ("bn", "[\u0985-\u09b9]"),
    ("pa", "[\u0a05-\u0a39]"),
    ("ta", "[\u0b85-\u0bb9]"),
    ("te", "[\u0c05-\u0c39]"),
    ("th", "[\u0e01-\u0e2e]"),
    ("el", "[\u03b1-\u03c9]"),
    ("uk", "[\u0456\u0457\u0454\u0491]"),
    ("sr", "[\u0452\u0458\u0459\u045a\u045b\u045f]"),
    ("ru", "[\u0430-\u044f\u0451]"),
    ("vi", "[\u01a1\u01b0\u1ea1-\u1ef9]"),
    ("az", "\u0259"),
    ("tr", "[\u011f\u0131]"),
    ("is", "[\u00fe\u00f0]"),
    ("hu", "[\u0151\u0171]"),
    ("pl", "[\u0142\u0105\u0119\u015b\u017c\u0144]"),
    ("cs", "[\u0159\u011b\u016f]"),
    ("lt", "[\u0117\u012f\u0173]"),
    ("ro", "[\u0103\u021b\u0219]"),
    ("sk", "[\u013e\u013a\u0155]"),
    ("hr", "[\u0111\u0107]"),
    ("pt", "[\u00e3\u00f5]"),
    ("de", "\u00df"),
    ("es", "[\u00f1\u00bf\u00a1]"),
    ("fr", "[\u0153\u00fb\u00ee]"),
)

# Words that nearly every verse of the language has and few of the others.
_LITTLE_WORDS = {
    "en": "the and you my of is in it me to we your are was be i'm don't with this that all",
    "es": "el la los que en un una mi tu te por con es yo no se las del para me amor quiero m\u00e1s sin porque",
    "fr": "le la les et je tu un une dans mon est que des pas ne du sur moi toi c'est",
    "de": "und ich du der die das ist nicht ein mein mit wir auf dich mich zu im den",
    "it": "il che di e un una mio con per non sono la ti mi amore della nel lo",
    "pt": "o a que e um uma meu com eu voc\u00ea n\u00e3o de do da para no na",
    "nl": "de het een en ik jij van is niet mijn met je wij dat op",
    "sv": "och jag du det \u00e4r en ett min inte som p\u00e5 vi dig mig",
    "da": "og jeg du det er en et min ikke som p\u00e5 vi dig mig af",
    "fi": "ja on min\u00e4 sin\u00e4 ei se kun niin mun sun mutta",
    "id": "dan aku kau yang di ini itu cinta tak kamu ku dengan untuk",
    "tl": "ang ng mga sa ako ikaw ko mo na ay hindi puso",
    "sw": "na ya wa ni kwa moyo mimi wewe sana katika",
    "la": "et in non est cum ad deus dominus sed te nos sunt",
}
_LITTLE = {code: frozenset(words.split()) for code, words in _LITTLE_WORDS.items()}
_LATIN_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def language_of(code: str, text: str) -> tuple[str, bool]:
    """Return the code of the language that is meant and whether it is sung (True) or hummed (False).

    A code of ACE-Step's list is taken at its word; "unknown", "" and codes of no list are guessed from the text.
    """
    if code in SUNG_LANGUAGES or code in ("sa", "tl"):
        return code, code in SUNG_LANGUAGES
    guess = guessed(text)
    return guess, guess in SUNG_LANGUAGES


def guessed(text: str) -> str:
    """Return the language of a text by the rule of this file; English where nothing speaks for another."""
    small = text.lower().replace("\u2019", "'")
    found = {code: len(re.findall(letters, small)) for code, letters in _SCRIPTS}
    letters = sum(1 for character in small if character.isalpha())
    # One borrowed letter ("déjà vu", a Greek letter's name) does not make a language: it takes one in a hundred.
    for code, _ in _SCRIPTS:
        if found[code] and found[code] * 100 >= letters:
            return code
    words = set(_LATIN_WORD.findall(small))
    hits = {code: len(words & little) for code, little in _LITTLE.items()}
    best = max(hits, key=lambda code: (hits[code], code == DEFAULT))
    return best if hits[best] > 1 else DEFAULT
