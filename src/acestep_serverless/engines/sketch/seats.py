"""Which players does a caption name or leave out? Instruments by name, their roles and their families.

Programs are General MIDI numbers; None is the style's own. An instrument takes the first of its roles that no
instrument named before it has.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

CHORDS, MELODY, PAD = ("chords", "arpeggio"), ("melody", "counter", "arpeggio"), ("pad", "counter")
ARPEGGIO, COUNTER = ("arpeggio", "counter"), ("counter", "melody")

INSTRUMENTS: dict[str, tuple[int | None, tuple[str, ...]]] = {
    "drums": (None, ("drums",)),
    "drum kit": (None, ("drums",)),
    "percussion": (None, ("drums",)),
    "drum machine": (25, ("drums",)),
    "808 drums": (25, ("drums",)),
    "brushes": (40, ("drums",)),
    "grand piano": (0, CHORDS),
    "piano": (0, CHORDS),
    "electric piano": (4, CHORDS),
    "rhodes": (4, CHORDS),
    "wurlitzer": (4, CHORDS),
    "clavinet": (7, CHORDS),
    "harpsichord": (6, CHORDS),
    "music box": (10, MELODY),
    "celesta": (8, MELODY),
    "glockenspiel": (9, MELODY),
    "vibraphone": (11, MELODY),
    "marimba": (12, MELODY),
    "xylophone": (13, MELODY),
    "bells": (14, MELODY),
    "dulcimer": (15, MELODY),
    "organ": (16, CHORDS),
    "hammond": (16, PAD),
    "church organ": (19, PAD),
    "accordion": (21, MELODY),
    "harmonica": (22, MELODY),
    "bandoneon": (23, MELODY),
    "acoustic guitar": (25, CHORDS),
    "acoustic guitars": (25, CHORDS),
    "steel guitar": (25, CHORDS),
    "nylon guitar": (24, CHORDS),
    "classical guitar": (24, CHORDS),
    "spanish guitar": (24, CHORDS),
    "electric guitar": (27, CHORDS),
    "electric guitars": (27, CHORDS),
    "clean guitar": (27, CHORDS),
    "guitar solo": (29, MELODY),
    "lead guitar": (29, MELODY),
    "distorted guitar": (30, CHORDS),
    "distorted guitars": (30, CHORDS),
    "heavy guitars": (30, CHORDS),
    "ukulele": (24, CHORDS),
    "banjo": (105, CHORDS),
    "mandolin": (25, ARPEGGIO),
    "pedal steel": (26, MELODY),
    "slide guitar": (26, MELODY),
    "upright bass": (32, ("bass",)),
    "double bass": (32, ("bass",)),
    "bass guitar": (33, ("bass",)),
    "slap bass": (36, ("bass",)),
    "fretless": (35, ("bass",)),
    "synth bass": (38, ("bass",)),
    "sub bass": (39, ("bass",)),
    "808": (38, ("bass",)),
    "tuba": (58, ("bass",)),
    "violin": (40, MELODY),
    "viola": (41, MELODY),
    "fiddle": (110, MELODY),
    "cello": (42, MELODY),
    "erhu": (110, MELODY),
    "strings": (48, PAD),
    "string section": (48, PAD),
    "violins": (48, PAD),
    "orchestra": (48, PAD),
    "harp": (46, ARPEGGIO),
    "choir": (52, PAD),
    "trumpet": (56, MELODY),
    "muted trumpet": (59, MELODY),
    "trombone": (57, MELODY),
    "french horn": (60, MELODY),
    "horns": (61, COUNTER),
    "horn section": (61, COUNTER),
    "brass": (61, COUNTER),
    "saxophone": (65, MELODY),
    "sax": (65, MELODY),
    "tenor sax": (66, MELODY),
    "oboe": (68, MELODY),
    "bassoon": (70, MELODY),
    "clarinet": (71, MELODY),
    "piccolo": (72, MELODY),
    "flute": (73, MELODY),
    "recorder": (74, MELODY),
    "pan flute": (75, MELODY),
    "shakuhachi": (77, MELODY),
    "whistle": (78, MELODY),
    "tin whistle": (78, MELODY),
    "ocarina": (79, MELODY),
    "bright synths": (90, CHORDS),
    "synth lead": (81, MELODY),
    "lead synth": (81, MELODY),
    "synth pads": (89, PAD),
    "synth pad": (89, PAD),
    "pads": (None, ("pad",)),
    "arpeggio": (None, ("arpeggio",)),
    "arpeggios": (None, ("arpeggio",)),
    "arpeggiator": (84, ARPEGGIO),
    "plucks": (84, ARPEGGIO),
    "supersaw": (81, CHORDS),
    "supersaws": (81, CHORDS),
    "sitar": (104, MELODY),
    "shamisen": (106, MELODY),
    "koto": (107, MELODY),
    "kalimba": (108, MELODY),
    "bagpipes": (109, MELODY),
    "bagpipe": (109, MELODY),
    "shehnai": (111, MELODY),
    "steel drums": (114, MELODY),
}
# Programs that a word leaves out, each family under all the names a caption may give it.
FAMILIES: Mapping[str, frozenset[int]] = {
    "piano": frozenset({0, 1, 2, 3}),
    "keys": frozenset(range(8)),
    "electric piano": frozenset({4, 5}),
    "organ": frozenset(range(16, 21)),
    "accordion": frozenset({21, 23}),
    "guitar": frozenset(range(24, 32)),
    "guitars": frozenset(range(24, 32)),
    "banjo": frozenset({105}),
    "strings": frozenset({*range(40, 46), *range(48, 52), 110}),
    "violin": frozenset({40, 110}),
    "violins": frozenset({40, 48, 49}),
    "cello": frozenset({42}),
    "harp": frozenset({46}),
    "choir": frozenset({52, 53, 54, 91}),
    "brass": frozenset(range(56, 64)),
    "horns": frozenset(range(56, 64)),
    "trumpet": frozenset({56, 59}),
    "trumpets": frozenset({56, 59, 61}),
    "sax": frozenset(range(64, 68)),
    "saxophone": frozenset(range(64, 68)),
    "flute": frozenset({72, 73, 74, 75}),
    "woodwinds": frozenset(range(64, 80)),
    "synth": frozenset({38, 39, 50, 51, 62, 63, *range(80, 104)}),
    "synths": frozenset({38, 39, 50, 51, 62, 63, *range(80, 104)}),
    "synthesizers": frozenset({38, 39, 50, 51, 62, 63, *range(80, 104)}),
    "bells": frozenset({8, 9, 10, 11, 14, 98, 112}),
}
# Who steps in for an instrument that is left out, by role.
SUBSTITUTES = {
    "bass": (33, 32, 38, 43),
    "chords": (0, 25, 4, 48, 16, 88, 12),
    "melody": (73, 65, 40, 11, 80, 27, 0),
    "pad": (48, 89, 16, 52),
    "arpeggio": (46, 11, 24, 84, 0),
    "counter": (71, 48, 61, 11, 80),
}
# What a caption may ask to leave out, as the roles it silences.
LEFT_OUT = {
    "drums": ("drums",),
    "drum": ("drums",),
    "percussion": ("drums",),
    "beat": ("drums",),
    "beats": ("drums",),
    "bass": ("bass",),
    "bassline": ("bass",),
    "melody": ("melody", "counter"),
    "lead": ("melody", "counter"),
    "pads": ("pad",),
    "pad": ("pad",),
    "chords": ("chords", "pad", "arpeggio"),
    "arpeggio": ("arpeggio",),
    "arpeggios": ("arpeggio",),
    "vocals": ("voice",),
    "vocal": ("voice",),
    "voice": ("voice",),
    "voices": ("voice",),
    "singing": ("voice",),
    "singer": ("voice",),
    "lyrics": ("voice",),
    "words": ("voice",),
}
NEGATIONS = frozenset({"no", "without", "minus", "zero"})
LESS = re.compile(r"(drum|beat|bass)less")
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
    "sitar": 104,
    "banjo": 105,
    "celesta": 8,
}
# Words for a whole family: they bring a player only where the style has none of it.
GENERIC: dict[str, tuple[int, tuple[str, ...]]] = {
    "guitar": (25, ("arpeggio", "chords")),
    "guitars": (25, ("arpeggio", "chords")),
    "synth": (81, ("melody", "arpeggio")),
    "synths": (90, ("arpeggio", "chords")),
    "synthesizers": (90, ("arpeggio", "chords")),
    "keys": (4, CHORDS),
    "woodwinds": (71, ("counter", "melody")),
}
JOINING = frozenset({"and", "or", "nor", "any", "a", "the"})


@dataclass(frozen=True, slots=True)
class Seats:
    """Who is named (programs by role, None the style's own; `named` in words) and who is left out."""

    programs: Mapping[str, int | None]
    named: tuple[str, ...]
    silent: frozenset[str]
    excluded: frozenset[int]
    left_out: tuple[str, ...]
    solo: int | None

    def alone(self, program: int) -> "Seats":
        """The same with one program that plays everything."""
        return replace(self, solo=program)

    def program(self, role: str, own: int) -> int:
        """The program of a role: the one that is named, else the style's own, else who steps in for one left out."""
        wanted = self.programs.get(role)
        program = own if wanted is None else wanted
        if program not in self.excluded or role == "drums":
            return program
        return next((other for other in SUBSTITUTES.get(role, ()) if other not in self.excluded), program)


def negations(text: str) -> tuple[str, list[str]]:
    """The normalised text without its "no ..." phrases, and the words that these leave out.

    A phrase reaches over as many following words as name things that can be left out ("no drums or bass"); where the
    first one names nothing here ("no rock"), that word alone is left out of the text.
    """
    kept: list[str] = []
    dropped: list[str] = []
    words = iter([*text.split(), ""])
    word = next(words)
    while word:
        if word not in NEGATIONS:
            lacking = LESS.fullmatch(word)
            (dropped if lacking else kept).append(lacking[1] if lacking else word)
            word = next(words)
            continue
        word, before = next(words), len(dropped)
        while word in LEFT_OUT or word in FAMILIES or word in JOINING:
            if word not in JOINING:
                dropped.append(word)
            word = next(words)
        if len(dropped) == before and word and word not in NEGATIONS:
            word = next(words)
    return " ".join(kept), dropped


def named_instruments(text: str, own: frozenset[int]) -> Iterator[tuple[str, int | None, tuple[str, ...]]]:
    """The instruments that a text names, in its order; where one name holds another ("pan flute"), the longer one."""
    rest, found = f" {text} ", []
    known = INSTRUMENTS | {name: row for name, row in GENERIC.items() if not own & FAMILIES[name]}
    for name in sorted(known, key=len, reverse=True):
        place = rest.find(f" {name} ")
        if place >= 0:
            found.append((place, name))
            rest = rest.replace(f" {name} ", f" {'_' * len(name)} ")
    for _, name in sorted(found):
        yield name, *known[name]


def solo_program(text: str) -> int | None:
    """The program of the one instrument that a text asks for alone, or None."""
    for match in SOLO.finditer(text):
        named = [word for word in (match[1] or match[2]).split() if word in SOLOISTS]
        if named:
            return SOLOISTS[named[0]]
    return None


def read_seats(text: str, dropped: Sequence[str], own: frozenset[int]) -> Seats:
    """Who plays: `text` without its negations, the words these leave out, and the programs that the style has."""
    programs: dict[str, int | None] = {}
    named = []
    for name, program, roles in named_instruments(text, own):
        free = next((role for role in roles if role not in programs), None)
        if free is not None:
            programs[free] = program
            named.append(name)
    return Seats(
        programs=programs,
        named=tuple(named),
        silent=frozenset(role for word in dropped for role in LEFT_OUT.get(word, ())),
        excluded=frozenset(program for word in dropped for program in FAMILIES.get(word, ())),
        left_out=tuple(dict.fromkeys(dropped)),
        solo=solo_program(text),
    )
