"""How do the styles of loud and of twanging guitars sound? Indie, punk, metal, blues and country."""

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

INDIE = Style(
    name="indie",
    genre="indie rock",
    words={
        "indie": 4,
        "indie rock": 2,
        "indie pop": 2,
        "jangle": 3,
        "jangly": 3,
        "dream pop": 3,
        "shoegaze": 4,
        "britpop": 3,
        "bedroom pop": 3,
        "post punk": 4,
        "surf": 2.5,
        "surf rock": 2,
        "lo fi rock": 2,
    },
    tempo=(118, 136),
    minor=0.3,
    progressions=Progressions(
        verse=("1 | 1 | 3 | 4", "1 | 5 | 4 | 4"),
        chorus=("1 | 3 | 4 | 5", "1 | 4 | 6 | 4"),
        bridge=("6 | 4 | 6 | 5M",),
        cadence="4 5M",
    ),
    drums=Drums(
        kit=8,
        verse={"kick": "X...x...X...x...", "snare": "....X.......X..o", "hat": "x.x.x.x.x.x.x.x."},
        chorus={
            "kick": "X..xx...X..xx...",
            "snare": "....X.......X...",
            "open": "..X...X...X...X.",
            "tamb": "x.x.x.x.x.x.x.x.",
        },
        fills=(
            {"kick": "X...x...x...x...", "snare": "....X...x.x.x.x.", "high": ".........x.x.x.x"},
            {"kick": "X...x...x.......", "snare": "xxxxX...xxxxX...", "floor": "............x.x."},
        ),
    ),
    bass=Bass(Sound(34, -3, 0.0, 0.06), verse="R-R-R-R-R-5-R-O-", chorus="R-R-R-R-O-R-5-A-"),
    chords=Comping(
        Sound(27, -3, -0.5, 0.3, 0.5), verse="d-d-..u-..u-d-u-", chorus="d-dud-dud-dud-du", voices=4, centre=62
    ),
    pad=Pad(Sound(18, -13, 0.1, 0.4, 0.3), enters=0.7, centre=62),
    arpeggio=Comping(
        Sound(27, -6, 0.5, 0.4, 0.4), verse="1-4-3-5-4-3-5-4-", chorus="5-4-6-4-5-4-3-4-", centre=66, enters=0.4
    ),
    melody=Melody(Sound(27, -1, 0.1, 0.4, 0.4), notes=4.2, centre=68, syncopation=0.35),
    counter=Counter(Sound(11, -9, 0.3, 0.4), centre=68),
    looseness=9,
    effects={"melody": "echo", "arpeggio": "echo"},
    leads=(27, 26, 80),
    breaks=True,
)

PUNK = Style(
    name="punk",
    genre="punk rock",
    words={
        "punk": 4,
        "punk rock": 3,
        "pop punk": 4,
        "hardcore": 3,
        "hardcore punk": 2,
        "skate": 2,
        "emo": 2.5,
        "garage punk": 2,
        "rebellious": 1.5,
    },
    tempo=(172, 196),
    minor=0.15,
    progressions=Progressions(
        verse=("1 | 1 | 4 | 5M", "1 4 | 5M | 1 4 | 5M"),
        chorus=("1 | 5M | 6 | 4", "1 5M | 6 4 | 1 5M | 4"),
        bridge=("4 | 4 | 5M | 5M",),
        cadence="4 5M",
    ),
    drums=Drums(
        kit=16,
        verse={"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "X.o.X.o.X.o.X.o."},
        chorus={
            "kick": "X.x.....X.x.....",
            "snare": "....X.......X...",
            "crash": "X...x...X...x...",
            "hat": "X.o.X.o.X.o.X.o.",
        },
        fills=(
            {"kick": "X...X...X...X...", "snare": "X.X.X.X.XxXxXxXx"},
            {
                "kick": "X...X...X...X...",
                "snare": "XxXx............",
                "mid": "....XxXx........",
                "floor": "........XxXxXxXx",
            },
        ),
        gain=2,
        reverb=0.08,
    ),
    bass=Bass(Sound(34, -2, 0.0, 0.03), verse="R-R-R-R-R-R-3-R-", chorus="R-R-R-3-R-R-5-A-"),
    chords=Comping(
        Sound(30, -4, -0.55, 0.1), verse="X-x-x-x-X-x-x-x-", chorus="X---X-x-X---X-x-", voices=3, centre=47, power=True
    ),
    arpeggio=Comping(
        Sound(27, -1, 0.55, 0.1), verse="X-x-X-x-X-x-X-x-", chorus="X-x-X-x-X-x-X-x-", voices=3, centre=60, enters=0.3
    ),
    melody=Melody(Sound(29, -3, 0.1, 0.2), notes=5.0, centre=69, syncopation=0.25, pentatonic=True),
    looseness=5,
    effects={"chords": "drive"},
    leads=(29, 30),
    breaks=True,
)

METAL = Style(
    name="metal",
    genre="heavy metal",
    words={
        "metal": 5,
        "heavy metal": 3,
        "death metal": 3,
        "thrash": 4,
        "djent": 4,
        "metalcore": 5,
        "headbanging": 2,
        "brutal": 2,
        "doom": 2.5,
        "power metal": 3,
        "black metal": 3,
        "shred": 2,
        "double kick": 2,
        "heavy": 1,
    },
    tempo=(132, 160),
    minor=0.98,
    progressions=Progressions(
        verse=("1 | 1 | 1 | b2 1", "1 | 1 | 6 | 7"),
        chorus=("1 | 6 | 7 | 1", "1 | 6 | 4 | 5M"),
        bridge=("1 | 1 | b2 | 1",),
        cadence="6 7",
    ),
    drums=Drums(
        kit=16,
        verse={"kick": "X.xxX.xxX.xxX.xx", "snare": "....X.......X...", "hat": "X...X...X...X..."},
        chorus={
            "kick": "XxxxXxxxXxxxXxxx",
            "snare": "........X.......",
            "crash": "X...x...x...x...",
            "ride": "..x...x...x...x.",
        },
        fills=(
            {
                "kick": "XxxxXxxxXxxxXxxx",
                "snare": "XxxxXxxx........",
                "high": "........XxXx....",
                "floor": "............XxXx",
            },
            {"kick": "XxxxxxxxXxxxxxxx", "snare": "X..X..X.X..X..X.", "crash": "X..X..X.X..X..X."},
        ),
        gain=2,
        reverb=0.14,
    ),
    bass=Bass(Sound(34, -3, 0.0, 0.03), verse="R-rrR-rrR-rrR-rr", chorus="RrrrRrrrRrrrRrrr", low=26),
    chords=Comping(
        Sound(30, -1, -0.6, 0.1), verse="X-xxX-xxX-xxX-xx", chorus="X-------X---X---", voices=3, centre=42, power=True
    ),
    arpeggio=Comping(
        Sound(30, -2, 0.6, 0.1),
        verse="X-xxX-xxX-xxX-xx",
        chorus="X-xxX-xxX-xxX-xx",
        voices=3,
        centre=45,
        power=True,
        enters=0.5,
    ),
    pad=Pad(Sound(52, -6, 0.0, 0.5), enters=0.5, centre=62, voices=3),
    melody=Melody(Sound(30, -2, 0.1, 0.35), notes=6.0, centre=70, syncopation=0.3, legato=0.97),
    counter=Counter(Sound(30, -8, -0.25, 0.3), centre=66, enters=0.9),
    looseness=3,
    effects={"chords": "drive", "arpeggio": "drive", "melody": "drive"},
    leads=(30, 29),
    breaks=True,
)

BLUES = Style(
    name="blues",
    genre="blues",
    words={
        "blues": 5,
        "bluesy": 3,
        "delta": 2,
        "shuffle": 2.5,
        "slow blues": 2,
        "blues rock": 1,
        "harmonica": 1.5,
        "boogie": 3,
        "boogie woogie": 3,
        "juke joint": 3,
        "twelve bar": 3,
        "12 bar": 3,
        "slide guitar": 2,
        "rockabilly": 3,
        "rock n roll": 3,
        "rock and roll": 3,
        "rock roll": 3,
    },
    tempo=(96, 122),
    minor=0.12,
    progressions=Progressions(
        verse=(
            "1~7 | 4~7 | 1~7 | 1~7 | 4~7 | 4~7 | 1~7 | 1~7 | 57 | 4~7 | 1~7 | 57",
            "1~7 | 1~7 | 1~7 | 1~7 | 4~7 | 4~7 | 1~7 | 1~7 | 57 | 57 | 1~7 | 1~7 57",
        ),
        chorus=(
            "1~7 | 4~7 | 1~7 | 1~7 | 4~7 | 4~7 | 1~7 | 1~7 | 57 | 4~7 | 1~7 4~7 | 1~7 57",
            "1~7 | 1~7 | 1~7 | 1~7 | 4~7 | 4~7 | 1~7 | 1~7 | 57 | 4~7 | 1~7 | 1~7 57",
        ),
        bridge=("4~7 | 1~7 | 27 | 57",),
        cadence="1~7 57",
        tones=4,
        short="1~7 | 57 | 4~7 | 4~7 | 1~7 | 57 | 1~7 4~7 | 1~7 57",
    ),
    drums=Drums(
        kit=0,
        verse={"kick": "X.....x.X.....x.", "snare": "....X.......X...", "ride": "X.x.X.x.X.x.X.x."},
        chorus={
            "kick": "X.....x.X.x...x.",
            "snare": "....X.......X.o.",
            "ride": "X.x.X.x.X.x.X.x.",
            "pedal": "....x.......x...",
        },
        fills=(
            {"kick": "X.......X.......", "snare": "..x.X.x...x.X.x.", "ride": "X...X..........."},
            {"kick": "X.......X.......", "snare": "....X.t...t.....", "floor": "............x.x."},
        ),
        gain=-1,
    ),
    bass=Bass(Sound(33, -1, 0.0, 0.05), verse="R---3---5---7---", chorus="R-R-3-3-5-5-7-5-"),
    chords=Comping(
        Sound(27, -3, -0.4, 0.2),
        verse="x-x-x-x-x-x-x-x-",
        chorus="X-..x-x-X-..x-u-",
        voices=3,
        centre=56,
        rootless=True,
    ),
    arpeggio=Comping(
        Sound(0, -6, 0.4, 0.2), verse="....x-u-....x-..", chorus="..x-x-..x-x-..x-", voices=3, centre=66, enters=0.5
    ),
    pad=Pad(Sound(16, -15, 0.2, 0.2, 0.4), enters=0.8, centre=60, voices=3),
    melody=Melody(Sound(22, 0, 0.1, 0.3), notes=4.6, centre=67, syncopation=0.6, legato=0.95, pentatonic=True),
    counter=Counter(Sound(16, -10, 0.3, 0.3), centre=64, enters=0.85),
    swing=0.66,
    looseness=11,
    effects={"pad": "rotary"},
    leads=(22, 27, 66),
)

COUNTRY = Style(
    name="country",
    genre="country",
    words={
        "country": 5,
        "bluegrass": 5,
        "nashville": 4,
        "honky tonk": 4,
        "cowboy": 3,
        "western": 2.5,
        "banjo": 2.5,
        "pedal steel": 3,
        "hoedown": 4,
        "truck": 1,
        "southern": 1.5,
        "twang": 3,
        "twangy": 3,
    },
    tempo=(108, 128),
    minor=0.06,
    progressions=Progressions(
        verse=("1 | 1 | 4 | 1 | 1 | 1 | 5M | 5M", "1 | 4 | 5M | 1"),
        chorus=("4 | 1 | 5M | 1", "1 | 4 | 1 | 5M"),
        bridge=("4 | 4 | 1 | 1 | 2M | 2M | 5M | 5M",),
        cadence="5M",
    ),
    drums=Drums(
        kit=40,
        verse={"kick": "X.......X.......", "snare": "ooooXooooooxXooo"},
        chorus={
            "kick": "X.......X.......",
            "snare": "ooooXoooooooXoox",
            "tamb": "....x.......x...",
            "hat": "x.x.x.x.x.x.x.x.",
        },
        fills=(
            {"kick": "X.......X.......", "snare": "ooooX.x.x.x.xxxx"},
            {"kick": "X.......X...X...", "snare": "oooox.x.x.x.....", "mid": "............xx.x"},
        ),
        gain=-2,
    ),
    bass=Bass(Sound(32, -1, 0.0, 0.05), verse="R---....5---....", chorus="R---....5---..A-"),
    chords=Comping(Sound(25, -2, -0.3, 0.2), verse="....d-......d-..", chorus="....d-u-....d-u-", voices=5, centre=60),
    arpeggio=Comping(
        Sound(105, -6, 0.4, 0.15), verse="1.3.2.4.1.3.2.4.", chorus="1324132513241325", centre=66, enters=0.4
    ),
    pad=Pad(Sound(26, -14, 0.2, 0.5, 0.3), enters=0.6, centre=64, voices=3),
    melody=Melody(Sound(110, -2, 0.15, 0.3), notes=4.8, centre=70, syncopation=0.2, pentatonic=True),
    counter=Counter(Sound(26, -7, 0.3, 0.4), centre=68, enters=0.5),
    looseness=8,
    leads=(110, 26, 25),
)
