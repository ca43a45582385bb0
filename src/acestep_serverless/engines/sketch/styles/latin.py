"""How do the dances of the south sound? Salsa, reggaeton, afrobeat, tango and ska."""

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

SALSA = Style(
    name="salsa",
    genre="salsa",
    words={
        "salsa": 6,
        "son cubano": 5,
        "cuban": 4,
        "mambo": 5,
        "merengue": 4,
        "cha cha": 4,
        "timba": 4,
        "latin jazz": 2.5,
        "congas": 2,
        "timbales": 3,
        "montuno": 4,
        "cumbia": 4,
        "latin": 2,
        "rumba": 3,
        "havana": 3,
    },
    tempo=(92, 106),
    minor=0.75,
    progressions=Progressions(
        verse=("1 | 4 | 57 | 1", "1 4 | 57 1"),
        chorus=("1 | 57 | 57 | 1", "1 4 | 57 4"),
        bridge=("4 | 4 | 57 | 57",),
        cadence="4 57",
    ),
    drums=Drums(
        kit=0,
        verse={
            "clave": "..x.x...x..x..x.",
            "conga_high": "..x...xx..x...xx",
            "conga_low": "......o.......xx",
            "cabasa": "x.xxx.xxx.xxx.xx",
            "kick": "x.......x.......",
        },
        chorus={
            "clave": "..x.x...x..x..x.",
            "cowbell": "X.x.X.xxX.x.X.xx",
            "conga_high": "..x...xx..x...xx",
            "conga_low": "...x..o....x..xx",
            "cabasa": "x.xxx.xxx.xxx.xx",
            "kick": "X...x...X...x...",
        },
        fills=(
            {"high": "X.xxx.x.........", "low": "........x.xxx.xx", "kick": "X...x...X......."},
            {"snare": "x..x..x.x..x.xxx", "cowbell": "X...X...X......."},
        ),
        gain=0,
        crash="crash",
    ),
    bass=Bass(Sound(32, 0, 0.0, 0.05), verse="R-....5-R-....5-", chorus="R-..5-..R-..5-A-"),
    chords=Comping(Sound(0, -1, -0.2, 0.2), verse="X.x.xx.x.xx.x.x.", chorus="X.xx.xx.xx.xx.x.", voices=4, centre=68),
    arpeggio=Comping(
        Sound(25, -9, 0.4, 0.15), verse="1.2.3.2.1.2.3.2.", chorus="1.23.23.12.32.3.", centre=66, enters=0.5
    ),
    melody=Melody(Sound(56, 0, 0.15, 0.25), notes=5.0, centre=69, syncopation=0.65, legato=0.75),
    counter=Counter(Sound(57, -3, -0.3, 0.25), centre=62, enters=0.5),
    looseness=5,
    leads=(56, 61, 73),
)

REGGAETON = Style(
    name="reggaeton",
    genre="reggaeton",
    words={
        "reggaeton": 6,
        "dembow": 6,
        "perreo": 5,
        "latin pop": 3,
        "latin trap": 3,
        "urbano": 4,
        "moombahton": 5,
        "puerto rico": 3,
        "puerto rican": 3,
    },
    tempo=(88, 98),
    minor=0.9,
    progressions=Progressions(
        verse=("1 | 6 | 3 | 7", "1 | 4 | 6 | 5M"),
        chorus=("1 | 6 | 7 | 5M", "6 | 7 | 1 | 1"),
        bridge=("4 | 6 | 7 | 5M",),
        cadence="6 5M",
    ),
    drums=Drums(
        kit=25,
        verse={"kick": "X...X...X...X...", "snare": "...x..x....x..x.", "hat": "X.o.X.o.X.o.X.o."},
        chorus={
            "kick": "X...X...X...X...",
            "snare": "...X..x....X..x.",
            "clap": "......x.......x.",
            "hat": "X.x.X.x.X.x.X.x.",
            "shaker": "X.o.X.o.X.o.X.o.",
        },
        fills=(
            {"kick": "X...X...X...X...", "snare": "...X..X.x.xxx.xx"},
            {"kick": "X...X...X.......", "snare": "...X..X....xxxxx", "low": "........x..x...."},
        ),
        gain=2,
        reverb=0.08,
    ),
    bass=Bass(Sound(38, -1, 0.0, 0.02), verse="R--R--R-R--R--5-", chorus="R--R--R-R--R--O-", low=28),
    chords=Comping(Sound(84, -3, -0.2, 0.3), verse="..x...x...x...x.", chorus="x..x..x.x..x..x.", voices=4, centre=66),
    pad=Pad(Sound(89, -10, 0.0, 0.4, 0.3), enters=0.5, centre=62),
    arpeggio=Comping(
        Sound(24, -7, 0.4, 0.3), verse="1-2-3-..4-3-2-..", chorus="1-3-5-..4-3-2-1-", centre=66, enters=0.5
    ),
    melody=Melody(Sound(80, -2, 0.0, 0.35, 0.3), notes=4.4, centre=70, syncopation=0.6, legato=0.8),
    looseness=2,
    sidechain=0.3,
    leads=(80, 12, 73),
    breaks=True,
)

AFROBEAT = Style(
    name="afrobeat",
    genre="afrobeat",
    words={
        "afrobeat": 6,
        "afrobeats": 6,
        "afro": 3,
        "highlife": 5,
        "african": 4,
        "amapiano": 4,
        "soukous": 4,
        "lagos": 3,
        "nigerian": 4,
        "polyrhythm": 2,
        "polyrhythmic": 2,
        "talking drum": 3,
        "afro house": 3,
    },
    tempo=(102, 118),
    minor=0.7,
    progressions=Progressions(
        verse=("1 | 1 | 47 | 1", "1 | 47 | 1 | 47"),
        chorus=("1 | 7 | 47 | 1", "1 | 1 | 7 | 47"),
        bridge=("47 | 47 | 1 | 1",),
        cadence="47 1",
        tones=4,
    ),
    drums=Drums(
        kit=0,
        verse={
            "kick": "X..x....X..x....",
            "rim": "......x...x...x.",
            "shaker": "xoxoxoxoxoxoxoxo",
            "conga_low": "x.....xx......x.",
        },
        chorus={
            "kick": "X..x..x.X..x....",
            "snare": "......x...x...xo",
            "hat": "x.xxx.xxx.xxx.xx",
            "shaker": "xoxoxoxoxoxoxoxo",
            "conga_high": "...x..x..x.x..x.",
            "cowbell": "x..x..x...x.x...",
        },
        fills=(
            {"kick": "X..x....X.......", "conga_high": "x.xx.xx.xx.x.xxx", "shaker": "xoxoxoxo........"},
            {"kick": "X..x..x.........", "snare": "......x...xx.xxx", "low": "........x..x...."},
        ),
        gain=1,
    ),
    bass=Bass(Sound(33, 0, 0.0, 0.04), verse="R..R.R5..R..7-5-", chorus="R.R..R7-R..5..7A"),
    chords=Comping(
        Sound(27, -3, -0.45, 0.15), verse="..1.3.2...1.4.3.", chorus="1.3.21.3.2.41.3.", voices=3, centre=66
    ),
    pad=Pad(Sound(16, -12, 0.2, 0.25, 0.3), enters=0.4, centre=64, voices=3),
    arpeggio=Comping(
        Sound(12, -8, 0.45, 0.2), verse="1..3..2.1..4..3.", chorus="3.12.3.13.12.4.3", centre=68, enters=0.3
    ),
    melody=Melody(
        Sound(66, -1, 0.1, 0.25), notes=4.6, centre=67, syncopation=0.7, legato=0.8, pentatonic=True, riff=True
    ),
    counter=Counter(Sound(61, -4, 0.3, 0.2), centre=64, enters=0.5),
    looseness=7,
    leads=(66, 61, 16, 56),
)

TANGO = Style(
    name="tango",
    genre="tango",
    words={
        "tango": 6,
        "argentine": 4,
        "bandoneon": 5,
        "milonga": 5,
        "buenos aires": 4,
        "accordion": 1.5,
        "flamenco": 4,
        "spanish guitar": 2,
        "paso doble": 3,
        "klezmer": 3,
        "balkan": 3,
    },
    tempo=(114, 128),
    minor=0.97,
    progressions=Progressions(
        verse=("1 | 1 | 57 | 57 | 57 | 57 | 1 | 1", "1 | 4 | 1 | 57"),
        chorus=("4 | 1 | 57 | 1", "1 | b27 | 57 | 1"),
        bridge=("6 | 6 | 57 | 57",),
        cadence="57",
    ),
    drums=Drums(
        kit=48,
        verse={"rim": "x.......x.....x."},
        chorus={"snare": "x...o...x...o.oo", "deep": "x.......x......."},
        fills=({"snare": "x...x...x.x.x.xx"}, {"snare": "x...o.oox...xxx.", "deep": "x.......x......."}),
        gain=-7,
        reverb=0.3,
        crash="triangle",
    ),
    bass=Bass(Sound(32, 0, 0.0, 0.1), verse="R...R...5...R...", chorus="R...r...R...5.A."),
    chords=Comping(Sound(0, 0, -0.25, 0.25), verse="X.x.x.x.X.x.x.xX", chorus="X..x..x.X..x..x.", voices=4, centre=60),
    pad=Pad(Sound(48, -7, 0.1, 0.45), enters=0.6, centre=64),
    arpeggio=Comping(
        Sound(40, -6, 0.4, 0.35), verse="X...x...X...x...", chorus="X...X...X...X.xX", voices=3, centre=68, enters=0.5
    ),
    melody=Melody(Sound(23, 1, 0.1, 0.35), notes=4.2, centre=69, syncopation=0.3, legato=0.9),
    counter=Counter(Sound(40, -3, 0.3, 0.4), centre=70, enters=0.4),
    looseness=12,
    leads=(23, 40, 21),
)

SKA = Style(
    name="ska",
    genre="ska",
    words={"ska": 6, "two tone": 3, "ska punk": 4, "skank": 3, "rude boy": 4, "third wave": 2},
    tempo=(138, 162),
    minor=0.2,
    progressions=Progressions(
        verse=("1 | 4 | 5M | 1", "1 | 6 | 2 | 5M"),
        chorus=("1 | 2 | 4 | 5M", "1 1 | 4 5M"),
        bridge=("4 | 5M | 3 | 6",),
        cadence="4 5M",
    ),
    drums=Drums(
        kit=0,
        verse={"kick": "X...x...X...x...", "rim": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        chorus={
            "kick": "X...X...X.x.X...",
            "snare": "....X.......X...",
            "hat": "x.x.x.x.x.x.x.x.",
            "open": "..x...x...x...x.",
            "tamb": "....x.......x...",
        },
        fills=(
            {"kick": "X.......X.......", "snare": "..x.X.x.x.xxX.X."},
            {
                "kick": "X...X...X...X...",
                "high": "x.x.............",
                "mid": "....x.x.........",
                "snare": "........x.xxxxxx",
            },
        ),
        gain=1,
    ),
    bass=Bass(Sound(33, 0, 0.0, 0.04), verse="R-3-5-3-R-3-5-A-", chorus="W-W-W-W-W-W-W-A-"),
    chords=Comping(
        Sound(27, -1, -0.35, 0.15), verse="..X...X...X...X.", chorus="..X...X...X..uX.", voices=3, centre=68
    ),
    pad=Pad(Sound(16, -13, 0.2, 0.2, 0.4), enters=0.7, centre=62, voices=3),
    arpeggio=Comping(
        Sound(16, -7, 0.35, 0.2, 0.3),
        verse="..x...x...x...x.",
        chorus="..xx..xx..xx..xx",
        voices=3,
        centre=62,
        enters=0.3,
    ),
    melody=Melody(Sound(56, 1, 0.1, 0.2), notes=5.2, centre=69, syncopation=0.45, legato=0.7),
    counter=Counter(Sound(57, -2, 0.3, 0.2), centre=64, enters=0.4),
    looseness=6,
    leads=(56, 66, 57),
)
