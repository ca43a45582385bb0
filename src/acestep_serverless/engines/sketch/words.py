"""What can words in a caption change? The vocabulary beyond styles: tempo, mood, instruments, what to leave out."""

import re

# Words that move the tempo: a factor on the style's own choice.
TEMPO_WORDS = {
    "very slow": 0.72,
    "slow": 0.82,
    "slower": 0.88,
    "downtempo": 0.85,
    "relaxed": 0.92,
    "calm": 0.92,
    "laid back": 0.93,
    "ballad": 0.8,
    "mid tempo": 1.0,
    "upbeat": 1.06,
    "lively": 1.07,
    "energetic": 1.06,
    "driving": 1.05,
    "fast": 1.16,
    "very fast": 1.28,
    "uptempo": 1.1,
    "up tempo": 1.1,
    "frantic": 1.3,
    "largo": 0.65,
    "adagio": 0.72,
    "andante": 0.85,
    "moderato": 1.0,
    "allegro": 1.18,
    "presto": 1.35,
}
# Moods: (pull towards minor, change of energy).
MOODS = {
    "sad": (1.0, -0.12),
    "melancholic": (1.0, -0.1),
    "melancholy": (1.0, -0.1),
    "dark": (1.0, 0.0),
    "gloomy": (1.0, -0.1),
    "moody": (0.6, -0.05),
    "tense": (0.8, 0.05),
    "ominous": (1.0, 0.0),
    "mysterious": (0.8, -0.05),
    "angry": (0.8, 0.15),
    "aggressive": (0.8, 0.15),
    "haunting": (1.0, -0.1),
    "dramatic": (0.6, 0.1),
    "nostalgic": (0.2, -0.05),
    "heartbreak": (0.8, -0.05),
    "lonely": (0.8, -0.12),
    "epic": (0.3, 0.12),
    "powerful": (0.2, 0.12),
    "intense": (0.3, 0.12),
    "energetic": (0.0, 0.12),
    "driving": (0.0, 0.1),
    "happy": (-1.0, 0.08),
    "joyful": (-1.0, 0.1),
    "cheerful": (-1.0, 0.08),
    "uplifting": (-0.8, 0.08),
    "upbeat": (-0.8, 0.1),
    "bright": (-0.5, 0.05),
    "sunny": (-1.0, 0.05),
    "hopeful": (-0.7, 0.0),
    "triumphant": (-0.8, 0.12),
    "playful": (-0.8, 0.05),
    "romantic": (-0.3, -0.05),
    "warm": (-0.4, -0.05),
    "peaceful": (-0.5, -0.18),
    "calm": (-0.3, -0.18),
    "relaxing": (-0.3, -0.18),
    "gentle": (-0.3, -0.18),
    "soft": (-0.1, -0.18),
    "quiet": (0.0, -0.2),
    "dreamy": (-0.2, -0.1),
}
# Instruments: General MIDI program and the roles it takes when named.
INSTRUMENTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "grand piano": (0, ("chords",)),
    "piano": (0, ("chords",)),
    "electric piano": (4, ("chords",)),
    "rhodes": (4, ("chords",)),
    "harpsichord": (6, ("chords",)),
    "music box": (10, ("melody",)),
    "celesta": (8, ("melody",)),
    "glockenspiel": (9, ("melody",)),
    "vibraphone": (11, ("melody",)),
    "marimba": (12, ("melody",)),
    "xylophone": (13, ("melody",)),
    "bells": (14, ("melody",)),
    "organ": (16, ("chords",)),
    "accordion": (21, ("melody",)),
    "harmonica": (22, ("melody",)),
    "acoustic guitar": (25, ("chords",)),
    "nylon guitar": (24, ("chords",)),
    "electric guitar": (27, ("chords",)),
    "guitar solo": (29, ("melody",)),
    "distorted guitar": (30, ("chords",)),
    "distorted guitars": (30, ("chords",)),
    "ukulele": (24, ("chords",)),
    "banjo": (105, ("chords",)),
    "upright bass": (32, ("bass",)),
    "slap bass": (36, ("bass",)),
    "fretless": (35, ("bass",)),
    "synth bass": (38, ("bass",)),
    "808": (38, ("bass",)),
    "violin": (40, ("melody",)),
    "fiddle": (110, ("melody",)),
    "cello": (42, ("melody",)),
    "strings": (48, ("pad",)),
    "harp": (46, ("arpeggio",)),
    "choir": (52, ("pad",)),
    "trumpet": (56, ("melody",)),
    "trombone": (57, ("melody",)),
    "french horn": (60, ("melody",)),
    "horns": (61, ("counter",)),
    "brass": (61, ("counter",)),
    "saxophone": (65, ("melody",)),
    "sax": (65, ("melody",)),
    "oboe": (68, ("melody",)),
    "clarinet": (71, ("melody",)),
    "flute": (73, ("melody",)),
    "pan flute": (75, ("melody",)),
    "whistle": (78, ("melody",)),
    "bright synths": (90, ("chords",)),
    "synth lead": (81, ("melody",)),
    "synth pads": (89, ("pad",)),
    "sitar": (104, ("melody",)),
    "koto": (107, ("melody",)),
    "kalimba": (108, ("melody",)),
    "steel drums": (114, ("melody",)),
}
# What a caption may ask to leave out, as the roles it silences.
LEFT_OUT = {
    "drums": ("drums",),
    "drum": ("drums",),
    "percussion": ("drums",),
    "beat": ("drums",),
    "beats": ("drums",),
    "bass": ("bass",),
    "melody": ("melody", "counter"),
    "lead": ("melody", "counter"),
    "piano": ("chords",),
    "pads": ("pad",),
    "pad": ("pad",),
    "strings": ("pad",),
    "chords": ("chords", "pad", "arpeggio"),
    "arpeggio": ("arpeggio",),
    "arpeggios": ("arpeggio",),
}
NEGATION = re.compile(r"\b(?:no|without|minus|zero)((?: \w+(?: (?:and|or|nor))?){1,4})")
LESS = re.compile(r"\b(drum|beat|bass)less\b")
SOLO = re.compile(r"\b(?:solo|unaccompanied|only|just)(?: an?)?((?: \w+){1,3})|\b(\w+) only\b")
# Who can play a piece alone, and on which program.
SOLOISTS = {
    "piano": 0,
    "guitar": 24,
    "harp": 46,
    "organ": 19,
    "harpsichord": 6,
    "kalimba": 108,
    "marimba": 12,
    "vibraphone": 11,
    "synth": 81,
    "synthesizer": 81,
    "accordion": 21,
    "koto": 107,
    "strings": 48,
}
BPM = re.compile(r"\b(\d{2,3}) ?(?:bpm|beats per minute)\b")
KEY = re.compile(r"\b([A-G])(#|b|♯|♭| ?-?sharp| ?-?flat)?[ -](major|minor)\b")
METERS = (
    (r"3/4|waltz|three four", "3"),
    (r"6/8|six eight|jig|tarantella", "6"),
    (r"2/4|polka|two four", "2"),
    (r"4/4|four four|four on the floor", "4"),
)


def normalise(caption: str) -> str:
    """Lower case, hyphens and other signs as single spaces; "/" and "#" stay for meters and keys."""
    return " ".join(re.sub(r"[^\w/#♯♭]+", " ", caption.lower().replace("_", " ")).split())


def has(text: str, phrase: str) -> int:
    """Where a phrase stands in normalised text as whole words, or -1."""
    return f" {text} ".find(f" {phrase} ")


def split_negations(text: str) -> tuple[str, frozenset[str]]:
    """The text without its "no ..." phrases, and the roles these silence.

    A phrase reaches over as many following words as name things that can be left out ("no drums or bass").
    """
    silenced: set[str] = set()

    def drop(match: re.Match[str]) -> str:
        kept: list[str] = []
        named = 0
        for word in match[1].split():
            if word in LEFT_OUT and not kept:
                silenced.update(LEFT_OUT[word])
                named += 1
            elif word not in ("and", "or", "nor") or kept:
                kept.append(word)
        # "no vocals" and the like: the first unknown word is what is left out, the rest goes on as text.
        return " ".join(kept if named else kept[1:])

    text = NEGATION.sub(drop, text)
    for match in LESS.finditer(text):
        silenced.update(LEFT_OUT[match[1]])
    return " ".join(LESS.sub("", text).split()), frozenset(silenced)
