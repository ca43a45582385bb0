"""How do the styles of the groove sound? Lo-fi hip hop, trap, funk and reggae."""

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

LOFI = Style(
    name="lo-fi hip hop",
    genre="lo-fi hip hop",
    words={
        "lo fi": 4,
        "lofi": 4,
        "chill": 2,
        "chillhop": 4,
        "study": 2,
        "hip hop": 1.5,
        "boom bap": 3,
        "mellow": 1.5,
        "vinyl": 2,
        "cozy": 1.5,
        "rainy": 1.5,
        "r b": 2,
        "rnb": 2,
        "soul": 1.5,
        "neo soul": 3,
        "laid back": 1,
        "coffee": 1.5,
        "rhodes": 1,
    },
    tempo=(72, 88),
    minor=0.4,
    progressions=Progressions(
        verse=("2 | 57 | 1 | 6", "4 | 3 | 2 | 1"),
        chorus=("4 | 57 | 3 | 6", "1 | 37 | 6 | 4"),
        bridge=("3 | 6 | 2 | 57sus",),
        cadence="2 57",
        tones=4,
    ),
    drums=Drums(
        kit=8,
        verse={"kick": "X......x..x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
        chorus={
            "kick": "X......x..x....x|X..x...x..x.....",
            "snare": "....x.......x..o|....x....o..x...",
            "hat": "x.x.x.xox.x.x.x.|x.x.x.x.x.xox.x.",
            "shaker": "..o...o...o...o.|..o...o...o...o.",
        },
        fills=(
            {"kick": "X......x........", "snare": "....x.....o.x.oo", "hat": "x.x.x.x.x......."},
            {"kick": "X.........x.....", "rim": "....x..x..x.x...", "hat": "x.x.x.x.x.x....."},
        ),
        gain=-2,
    ),
    bass=Bass(Sound(33, 0, 0.0, 0.05), verse="R------R..5-..A-", chorus="R--R---...5-R-A-"),
    chords=Comping(
        Sound(4, -1, -0.15, 0.25, 0.4), verse="d-------..u-....", chorus="d-----u-..d---..", voices=4, centre=62, rootless=True
    ),
    pad=Pad(Sound(89, -13, 0.0, 0.5), enters=0.6, centre=60),
    melody=Melody(Sound(11, -4, 0.2, 0.4), notes=3.4, centre=70, syncopation=0.5, pentatonic=True),
    counter=Counter(Sound(26, -9, 0.35, 0.3), centre=64, enters=0.85),
    swing=0.6,
    swing_sixteenths=True,
    looseness=14,
    sidechain=0.15,
    leads=(11, 0, 26, 73),
)

TRAP = Style(
    name="trap",
    genre="trap",
    words={
        "trap": 4,
        "rap": 2.5,
        "hip hop": 1.5,
        "808": 2.5,
        "drill": 3,
        "phonk": 3,
        "cloud rap": 3,
        "gangsta": 2,
        "street": 1,
        "hi hats": 1.5,
    },
    tempo=(132, 148),
    minor=0.97,
    progressions=Progressions(
        verse=("1 | 1 | 6 | 5M", "1 | 1 | 4 | 5M"),
        chorus=("1 | b2 | 6 | 5M", "6 | 5M | 1 | 1"),
        bridge=("4 | 4 | 1 | 5M",),
        cadence="5M",
    ),
    drums=Drums(
        kit=25,
        verse={"kick": "X.....x....x....", "clap": "........X.......", "hat": "x.x.x.x.x.x.x.r."},
        chorus={
            "kick": "X..x..x....x..x.|X.....x..x.x....",
            "clap": "........X.......|........X.....o.",
            "hat": "x.x.x.rrx.x.t.x.|x.xxx.x.r.x.x.rr",
            "open": "..............x.|......x.........",
        },
        fills=(
            {"kick": "X.....x.........", "clap": "........X...x.xx", "hat": "x.x.t.t.rrrrrrrr"},
            {"kick": "X..........x....", "snare": "........X..xX.rr", "hat": "t.t.t.t.x......."},
        ),
    ),
    bass=Bass(Sound(38, 2, 0.0, 0.02), verse="R-----.....R--R-", chorus="R-----R----R--O-", low=26),
    chords=Comping(
        Sound(0, -4, -0.1, 0.4), verse="1-3-4-3-1-3-4-3-", chorus="1-3-5-3-4-3-2-3-", voices=3, centre=66
    ),
    pad=Pad(Sound(52, -10, 0.0, 0.6), enters=0.5, centre=60),
    arpeggio=Comping(
        Sound(14, -12, 0.35, 0.5), verse="4---....3---....", chorus="5-4-3---4-3-2---", centre=70, enters=0.85
    ),
    melody=Melody(Sound(73, -5, 0.1, 0.45), notes=3.2, centre=69, syncopation=0.4, pentatonic=True, riff=True),
    looseness=3,
    leads=(73, 11, 80, 108),
)

FUNK = Style(
    name="funk",
    genre="funk",
    words={
        "funk": 4,
        "funky": 3,
        "groovy": 1.5,
        "groove": 1,
        "slap bass": 2,
        "wah": 2,
        "motown": 2.5,
        "70s": 2,
        "horns": 1,
        "brass": 0.75,
        "nu disco": 2,
    },
    tempo=(98, 114),
    minor=0.75,
    progressions=Progressions(
        verse=("1m7 | 1m7 47 | 1m7 | 1m7 47", "1m7 47 | 1m7 b77 | 1m7 47 | 1m7"),
        chorus=("b77 | 47 | 1m7 | 1m7", "47 | 1m7 | 47 | 57sus"),
        bridge=("b6maj7 | 57 | b6maj7 | 57",),
        cadence="b6maj7 57",
        tones=4,
    ),
    drums=Drums(
        kit=0,
        verse={"kick": "X.....x..xx.....", "snare": "....X..o.o..X..o", "hat": "xoxoxoxoxoxoxoxo"},
        chorus={
            "kick": "X.x....x..x..x..",
            "snare": "....X..o.o.oX..o",
            "hat": "x.xox.xox.xox.x.",
            "open": "..............x.",
            "tamb": "....x.......x...",
        },
        fills=(
            {"kick": "X..x..x.........", "snare": "....X..xX.oxx.xx", "hat": "xoxoxoxo........"},
            {"kick": "X.....x...x.....", "snare": "....X.oo....xoxo", "mid": "........x.x....."},
        ),
        gain=1,
    ),
    bass=Bass(Sound(36, 1, 0.0, 0.03), verse="R..r..R.O.rR..7-", chorus="R.rO..R.rR.5.7A-"),
    chords=Comping(
        Sound(28, -4, -0.4, 0.12), verse="..x.xx..x.xx..x.", chorus="x.xx..x.xx.x.xx.", voices=3, centre=65, rootless=True
    ),
    pad=Pad(Sound(16, -13, 0.25, 0.25, 0.4), enters=0.55, centre=62, voices=3),
    arpeggio=Comping(
        Sound(7, -8, 0.4, 0.15), verse="1..2.1.3..1.2...", chorus="1.21.3.2.1.3.41.", centre=58, enters=0.5
    ),
    melody=Melody(Sound(65, -4, 0.1, 0.25), notes=5.0, centre=68, syncopation=0.8, legato=0.75, pentatonic=True),
    counter=Counter(Sound(61, -7, 0.3, 0.25), centre=63, enters=0.7),
    swing=0.55,
    swing_sixteenths=True,
    looseness=6,
    leads=(65, 66, 56, 7),
)

REGGAE = Style(
    name="reggae",
    genre="reggae",
    words={
        "reggae": 4,
        "ska": 3,
        "dub": 2.5,
        "rocksteady": 4,
        "dancehall": 3,
        "jamaican": 3,
        "caribbean": 2,
        "island": 1.5,
        "beach": 1,
        "tropical": 1.5,
        "offbeat": 1,
    },
    tempo=(72, 86),
    minor=0.35,
    progressions=Progressions(
        verse=("1 | 2 | 1 | 2", "1 | 4 | 2 | 5M"),
        chorus=("1 | 4 | 5M | 4", "1 | 5M | 2 | 4"),
        bridge=("2 | 5M | 2 | 5M",),
        cadence="4 5M",
    ),
    drums=Drums(
        kit=8,
        verse={"kick": "........X.......", "rim": "........X......o", "hat": "x.xxx.xxx.xxx.xx"},
        chorus={
            "kick": "........X.......|........X.....x.",
            "rim": "....o...X.....o.|...o....X..o..o.",
            "hat": "x.xxx.x.x.xxx.xx|x.xxx.xxx.xxx.x.",
            "open": "..............x.|................",
            "conga_high": "..x..x....x..x..|..x..x....x.xx..",
        },
        fills=(
            {"snare": "x..x..x.X.......", "high": ".........xx.....", "floor": "............x.x.", "kick": "x.......x......."},
            {"rim": "..x.x...X..xx.x.", "kick": "........x.......", "hat": "x.xxx.xx........"},
        ),
    ),
    bass=Bass(Sound(33, 2, 0.0, 0.04), verse="R-..R-3-5-......", chorus="....R-R-5-3-R-..", low=28),
    chords=Comping(
        Sound(27, -3, -0.35, 0.2), verse="....X.......X...", chorus="....X..u....X...", voices=3, centre=66
    ),
    arpeggio=Comping(
        Sound(16, -8, 0.35, 0.2, 0.4), verse="..xx..xx..xx..xx", chorus="..xx..x...xx..x.", voices=3, centre=60, enters=0.3
    ),
    melody=Melody(Sound(22, -4, 0.1, 0.3), notes=4.2, centre=69, syncopation=0.45, pentatonic=True),
    counter=Counter(Sound(61, -9, 0.25, 0.3), centre=64, enters=0.7),
    swing=0.58,
    swing_sixteenths=True,
    looseness=10,
    leads=(22, 66, 57, 16),
)
