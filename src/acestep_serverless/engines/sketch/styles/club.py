"""How do the styles of the dance floor sound? House, techno, synthwave, and drum and bass."""

from acestep_serverless.engines.sketch.styles.model import (
    Bass,
    Comping,
    Counter,
    Drums,
    Melody,
    Pad,
    Progressions,
    Sound,
    Style,
)

HOUSE = Style(
    name="house",
    genre="electronic, house",
    words={
        "tech house": 3,
        "garage house": 2,
        "dance music": 2,
        "tropical house": 4,
        "house": 3,
        "deep house": 3,
        "electronic": 2,
        "electronica": 2,
        "edm": 3,
        "electro": 2,
        "dance": 1.5,
        "club": 1.5,
        "party": 1,
        "festival": 1,
        "synth": 0.75,
        "synths": 0.75,
        "bright synths": 0.5,
    },
    tempo=(120, 128),
    minor=0.6,
    progressions=Progressions(
        verse=("6 | 4 | 5 | 1", "1 | 3 | 6 | 7"),
        chorus=("4 | 5 | 6 | 1", "6 | 7 | 1 | 3"),
        bridge=("4 | 4 | 6 | 5",),
        cadence="4 5sus",
    ),
    drums=Drums(
        kit=24,
        verse={"kick": "X...X...X...X...", "clap": "....x.......x...", "open": "..x...x...x...x."},
        chorus={
            "kick": "X...X...X...X...",
            "clap": "....X.......X...",
            "open": "..X...X...X...X.",
            "hat": "xoxoxoxoxoxoxoxo",
            "shaker": "..x...x...x..xx.",
        },
        fills=(
            {"kick": "X...X...X.......", "clap": "....x...x.x.x.xx", "open": "..x...x........."},
            {"kick": "X...X...x.......", "snare": "x...x...x.x.xxxx", "hat": "xoxoxoxo........"},
        ),
        reverb=0.08,
    ),
    bass=Bass(Sound(38, -3, 0.0, 0.03), verse="..R-..R-..R-..O-", chorus="..RO..RO..RO..5O", low=29),
    chords=Comping(
        Sound(90, -5, -0.1, 0.25, 0.3), verse="x..x..x...x..x..", chorus="X..X..x.X..X..x.", voices=4, centre=64
    ),
    pad=Pad(Sound(89, -8, 0.0, 0.45, 0.3), enters=0.3, centre=60),
    arpeggio=Comping(
        Sound(81, -10, 0.3, 0.3, 0.2), verse="1.2.3.4.5.4.3.2.", chorus="1234543212345432", centre=68, enters=0.6
    ),
    melody=Melody(Sound(81, -3, 0.0, 0.3, 0.3), notes=5.2, centre=71, syncopation=0.6, legato=0.8),
    counter=Counter(Sound(80, -12, -0.3, 0.35), centre=66),
    looseness=2,
    sidechain=0.6,
    builds=True,
    leads=(81, 80, 84),
    breaks=True,
)

TECHNO = Style(
    name="techno",
    genre="techno",
    words={
        "minimal techno": 2,
        "acid techno": 2,
        "berlin": 2,
        "techno": 3.5,
        "industrial": 2.5,
        "minimal": 1.5,
        "acid": 2,
        "warehouse": 2,
        "rave": 2,
        "hypnotic": 1.5,
        "pulsing": 1,
        "mechanical": 1,
    },
    tempo=(128, 138),
    minor=0.95,
    progressions=Progressions(
        verse=("1 | 1 | 1 | b2", "1 | 1 | 1 | 6"),
        chorus=("1 | 1 | 6 | 7", "1 | b2 | 1 | 7"),
        bridge=("6 | 6 | 4 | 1",),
        cadence="b2",
    ),
    drums=Drums(
        kit=25,
        verse={"kick": "X...X...X...X...", "hat": "..xo..xo..xo..xo", "rim": "...x..x....x..x."},
        chorus={
            "kick": "X...X...X...X..x",
            "hat": "oxxooxxooxxooxxo",
            "clap": "....x..o....x...",
            "open": "..X...X...X...X.",
            "cowbell": ".......o......o.",
        },
        fills=(
            {"kick": "X...X...X...X...", "snare": "..........x.xxxx", "rim": "...x..x....x...."},
            {"kick": "X...X...........", "clap": "....x..x..x.x.x.", "low": "........x..x..x."},
        ),
        gain=1,
        reverb=0.15,
    ),
    bass=Bass(Sound(39, -3, 0.0, 0.05), verse=".rRr.rRr.rRr.rRr", chorus="..RrO.Rr..RrR.rO", low=28),
    chords=Comping(
        Sound(62, -6, 0.2, 0.5, 0.2),
        verse="...x......x.....",
        chorus="...x..x...x..x..",
        voices=3,
        centre=60,
        enters=0.4,
    ),
    pad=Pad(Sound(95, -11, 0.0, 0.6), voices=3, centre=57, enters=0.3),
    arpeggio=Comping(
        Sound(87, -8, -0.25, 0.3), verse="1.12.1.31.12.1.4", chorus="1.14.13.1.14.135", voices=3, centre=50, enters=0.4
    ),
    melody=Melody(Sound(81, -5, 0.1, 0.45, 0.2), notes=4.0, centre=64, syncopation=0.85, legato=0.5, riff=True),
    looseness=0,
    sidechain=0.45,
    leads=(81, 87, 80),
    breaks=True,
)

SYNTHWAVE = Style(
    name="synthwave",
    genre="synthwave",
    words={
        "synthwave": 4,
        "retrowave": 4,
        "outrun": 3,
        "80s": 2.5,
        "1980s": 2.5,
        "eighties": 2.5,
        "retro": 1.5,
        "neon": 2,
        "synth": 0.75,
        "synths": 0.5,
        "synthpop": 3,
        "synth pop": 2,
        "new wave": 2.5,
        "vaporwave": 3,
        "analog": 1,
        "arpeggios": 0.5,
        "cyberpunk": 2.5,
        "night drive": 2,
    },
    tempo=(88, 110),
    minor=0.8,
    progressions=Progressions(
        verse=("1 | 6 | 3 | 7", "1 | 7 | 6 | 7"),
        chorus=("6 | 3 | 7 | 1", "4 | 6 | 1 | 7"),
        bridge=("6 | 6 | 7 | 7",),
        cadence="6 7",
    ),
    drums=Drums(
        kit=24,
        verse={"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.xxx.xxx.xxx.xx"},
        chorus={
            "kick": "X...x...X...x.x.",
            "snare": "....X.......X...",
            "hat": "x.xxx.xxx.xxx.xx",
            "clap": "....x.......x..o",
        },
        fills=(
            {
                "kick": "X...x...X.......",
                "snare": "....X...........",
                "high": "........xx......",
                "floor": "..........xxXXXX",  # X is an accent
            },
            {"kick": "X...x...........", "snare": "....X...X.x.X.xx", "mid": ".........x.x.x.."},
        ),
        reverb=0.3,
    ),
    bass=Bass(Sound(38, -3, 0.0, 0.05, 0.2), verse="R-R-O-R-R-R-O-R-", chorus="RrRrOrRrRrRrOrRr", low=31),
    chords=Comping(
        Sound(62, -6, -0.15, 0.3, 0.4), verse="x---------------", chorus="X-----x-----x---", voices=4, centre=62
    ),
    pad=Pad(Sound(50, -8, 0.1, 0.5, 0.5), centre=62),
    arpeggio=Comping(
        Sound(80, -9, 0.4, 0.35, 0.3), verse="1232434212324342", chorus="1.2.3.5.4.3.5.3.", centre=66, enters=0.3
    ),
    melody=Melody(Sound(81, -2, 0.0, 0.4, 0.4), notes=3.6, centre=70, syncopation=0.3, legato=0.97),
    counter=Counter(Sound(84, -11, -0.35, 0.4), centre=66),
    looseness=3,
    sidechain=0.25,
    leads=(81, 80, 62),
    breaks=True,
)

DRUM_AND_BASS = Style(
    name="drum and bass",
    genre="drum and bass",
    words={
        "drum and bass": 5,
        "drum n bass": 5,
        "drum bass": 5,
        "dnb": 4,
        "jungle": 3,
        "breakbeat": 3,
        "liquid": 2.5,
        "neurofunk": 4,
        "breakcore": 3,
    },
    tempo=(170, 176),
    minor=0.9,
    progressions=Progressions(
        verse=("1 | 1 | 4 | 6", "1 | 5 | 6 | 3"),
        chorus=("6 | 1 | 7 | 4", "4 | 1 | 6 | 5"),
        bridge=("6 | 6 | 1 | 5",),
        cadence="4 5",
        tones=4,
    ),
    drums=Drums(
        kit=8,
        verse={"kick": "X.........x.....", "snare": "....X..o.o..X..o", "hat": "x.x.x.x.x.x.x.x."},
        chorus={
            "kick": "X.........X.....|X.x.......X.....",
            "snare": "....X..o.o..X..o|....X..o.o.oX.xo",
            "ride": "x.x.x.x.x.x.x.x.|x.x.x.x.x.x.x.x.",
            "shaker": "oxoxoxoxoxoxoxox|oxoxoxoxoxoxoxox",
        },
        fills=(
            {"kick": "X.........x.....", "snare": "....X..x..x.XxXx", "hat": "x.x.x.x........."},
            {"kick": "X.x.....x.......", "snare": "....X.x.x.xxx.rr", "crash": "........o......."},
        ),
    ),
    bass=Bass(Sound(39, -3, 0.0, 0.03, 0.2), verse="R---------R--r..", chorus="R-----R-..5-R-A-", low=28),
    chords=Comping(
        Sound(4, -4, 0.15, 0.4, 0.4),
        verse="x-----x---------",
        chorus="x---..x---..x---",
        voices=4,
        centre=63,
        rootless=True,
    ),
    pad=Pad(Sound(89, -8, 0.0, 0.55, 0.3), centre=62, voices=4),
    arpeggio=Comping(
        Sound(98, -14, 0.4, 0.5), verse="..4..3..5..4..2.", chorus="5.3.4.2.5.4.3.2.", centre=70, enters=0.7
    ),
    melody=Melody(Sound(80, -3, 0.0, 0.45, 0.3), notes=3.2, centre=70, syncopation=0.5, pentatonic=True),
    looseness=3,
    sidechain=0.2,
    leads=(80, 81, 11),
    breaks=True,
)
