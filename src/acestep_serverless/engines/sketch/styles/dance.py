"""How do the other styles of the dance floor and the arcade sound? Trance, dubstep, disco and chiptune."""

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

TRANCE = Style(
    name="trance",
    genre="trance",
    words={
        "trance": 5,
        "psytrance": 5,
        "goa": 3,
        "uplifting trance": 3,
        "supersaw": 3,
        "supersaws": 3,
        "euphoric": 2,
        "eurodance": 4,
        "big room": 3,
        "hands up": 2,
        "hardstyle": 4,
        "progressive trance": 2,
    },
    tempo=(134, 142),
    minor=0.9,
    progressions=Progressions(
        verse=("1 | 1 | 6 | 7", "1 | 6 | 3 | 7"),
        chorus=("1 | 6 | 3 | 7", "6 | 7 | 1 | 1"),
        bridge=("6 | 7 | 1 | 5",),
        cadence="6 7",
    ),
    drums=Drums(
        kit=24,
        verse={"kick": "X...X...X...X...", "hat": "..x...x...x...x.", "clap": "............x..."},
        chorus={
            "kick": "X...X...X...X...",
            "clap": "....X.......X...",
            "open": "..X...X...X...X.",
            "ride": "x.o.x.o.x.o.x.o.",
            "shaker": "oxoooxoooxoooxoo",
        },
        fills=(
            {"kick": "X...X...X...X...", "snare": "x...x...x.x.xxxx", "clap": "....X..........."},
            {"kick": "X...X...X.......", "snare": "x.x.x.x.xxxxxxxx", "open": "..x...x........."},
        ),
        gain=1,
        reverb=0.12,
    ),
    bass=Bass(Sound(38, -3, 0.0, 0.02), verse=".RRR.RRR.RRR.RRR", chorus=".rRr.rRr.rRr.rOr", low=29),
    chords=Comping(
        Sound(81, -5, -0.1, 0.4, 0.3), verse="................", chorus="x.xx.xx.x.xx.xx.", voices=5, centre=66
    ),
    pad=Pad(Sound(89, -6, 0.0, 0.6, 0.4), voices=5, centre=62),
    arpeggio=Comping(
        Sound(84, -6, 0.2, 0.45), verse="1353135313531353", chorus="1536153615361536", voices=3, centre=66, enters=0.2
    ),
    melody=Melody(Sound(81, -2, 0.0, 0.5, 0.3), notes=4.0, centre=72, syncopation=0.35, legato=0.97),
    counter=Counter(Sound(80, -12, -0.3, 0.4), centre=68, enters=0.85),
    looseness=0,
    sidechain=0.7,
    builds=True,
    effects={"melody": "echo", "arpeggio": "echo"},
    leads=(81, 80),
)

DUBSTEP = Style(
    name="dubstep",
    genre="dubstep",
    words={
        "dubstep": 5,
        "brostep": 5,
        "wobble": 3,
        "wobbly": 2,
        "bass drop": 3,
        "riddim": 4,
        "glitch": 1.5,
        "bass music": 3,
        "future bass": 3,
        "growl": 2,
        "growling": 2,
        "drop": 1,
    },
    tempo=(138, 142),
    minor=0.97,
    progressions=Progressions(
        verse=("1 | 1 | 6 | 7", "1 | 1 | 4 | 6"),
        chorus=("1 | 1 | 6 | 1", "1 | 1 | 1 | 7"),
        bridge=("6 | 6 | 7 | 7",),
        cadence="7",
    ),
    drums=Drums(
        kit=24,
        verse={"kick": "X.........x.....", "snare": "........X.......", "hat": "x...x...x...x.x."},
        chorus={
            "kick": "X.....x....x....|X..x......x...x.",
            "snare": "........X.......|........X.......",
            "clap": "........X.......|........X.......",
            "hat": "x.x.x.t.x.x.xrx.|x.xrx.x.x.t.x.x.",
            "open": "....o.......o...|....o.......o...",
        },
        fills=(
            {"kick": "X...............", "snare": "x...x...x.x.xxxx", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "X.....x.........", "snare": "........X..xX.rr", "low": "............x.x."},
        ),
        gain=2,
        reverb=0.16,
    ),
    bass=Bass(Sound(39, 0, 0.0, 0.03), verse="R---------------", chorus="R-------R---R-R-", low=26),
    chords=Comping(
        Sound(62, -6, 0.1, 0.35, 0.3),
        verse="x-------........",
        chorus="x-......x-..x-..",
        voices=4,
        centre=60,
        enters=0.3,
    ),
    pad=Pad(Sound(95, -10, 0.0, 0.6, 0.3), voices=4, centre=60),
    arpeggio=Comping(
        Sound(84, -9, 0.35, 0.5), verse="1...3...5...3...", chorus="..1.1.3...1.5.1.", voices=3, centre=66, enters=0.3
    ),
    melody=Melody(Sound(81, -4, 0.0, 0.35, 0.2), notes=3.0, centre=68, syncopation=0.6, legato=0.7, riff=True),
    looseness=0,
    sidechain=0.35,
    builds=True,
    effects={"bass": "wobble"},
    leads=(81, 80, 87),
)

DISCO = Style(
    name="disco",
    genre="disco",
    words={
        "disco": 5,
        "nu disco": 4,
        "french house": 3,
        "studio 54": 4,
        "boogie disco": 2,
        "70s disco": 3,
        "roller skate": 2,
        "glitter": 1.5,
        "philly": 3,
    },
    tempo=(112, 124),
    minor=0.6,
    progressions=Progressions(
        verse=("1 | 4 | 7 | 3", "1 | 6 | 4 | 5"),
        chorus=("1 | 4 | 1 | 5", "1 | 3 | 4 | 5"),
        bridge=("6 | 7 | 6 | 7",),
        cadence="4 5",
        tones=4,
    ),
    drums=Drums(
        kit=0,
        verse={
            "kick": "X...X...X...X...",
            "snare": "....X.......X...",
            "hat": "xx.xxx.xxx.xxx.x",
            "open": "..x...x...x...x.",
        },
        chorus={
            "kick": "X...X...X...X...",
            "snare": "....X.......X..o",
            "hat": "xx.xxx.xxx.xxx.x",
            "open": "..X...X...X...X.",
            "tamb": "x.xxx.xxx.xxx.xx",
            "conga_high": "...x..x....x..xx",
        },
        fills=(
            {"kick": "X...X...X...X...", "snare": "....X.xxX.xxXxxx"},
            {
                "kick": "X...X...X...X...",
                "snare": "....X...........",
                "high": "........xxx.....",
                "floor": "...........xxxxx",
            },
        ),
        gain=1,
    ),
    bass=Bass(Sound(33, -1, 0.0, 0.03), verse="R-O-R-O-R-O-R-O-", chorus="R.ORR.ORR.OR5.AO"),
    chords=Comping(
        Sound(28, -4, -0.45, 0.15),
        verse="..xx..xx..xx..xx",
        chorus="x.xxx.xxx.xxx.xx",
        voices=3,
        centre=66,
        rootless=True,
    ),
    pad=Pad(Sound(48, -6, 0.1, 0.45, 0.2), centre=68, enters=0.3),
    arpeggio=Comping(
        Sound(4, -8, 0.4, 0.25, 0.4), verse="x---..x-..x---..", chorus="..x-x-..x-..x-x-", centre=62, enters=0.4
    ),
    melody=Melody(Sound(49, -1, 0.1, 0.4), notes=4.8, centre=72, syncopation=0.5, legato=0.9),
    counter=Counter(Sound(61, -6, 0.3, 0.25), centre=64, enters=0.6),
    looseness=4,
    sidechain=0.15,
    leads=(49, 61, 73, 65),
)

CHIPTUNE = Style(
    name="chiptune",
    genre="chiptune",
    words={
        "chiptune": 6,
        "8 bit": 5,
        "8bit": 5,
        "16 bit": 4,
        "nes": 3,
        "gameboy": 4,
        "game boy": 4,
        "video game": 4,
        "game": 1.5,
        "arcade": 3,
        "retro game": 3,
        "pixel": 3,
        "boss fight": 2,
        "platformer": 3,
    },
    tempo=(138, 164),
    minor=0.4,
    progressions=Progressions(
        verse=("1 | 6 | 7 | 1", "1 | 1 | 4 | 5M"),
        chorus=("1 | 5M | 6 | 5M", "4 | 5M | 1 | 1"),
        bridge=("6 | 6 | 5M | 5M",),
        cadence="6 7",
    ),
    drums=Drums(
        kit=26,
        verse={"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.xx"},
        chorus={"kick": "X..x..x.X..x..x.", "snare": "....X.......X..x", "hat": "xxx.xxx.xxx.xxx."},
        fills=(
            {"kick": "X...x...x...x...", "snare": "x.xxx.xxx.xxxxxx"},
            {"kick": "X.......X.......", "snare": "..x...x..xx..xxx", "hat": "x...x...x...x..."},
        ),
        gain=0,
        reverb=0.0,
        crash="hat",
    ),
    bass=Bass(Sound(83, -1, 0.0, 0.0), verse="R.O.R.O.R.O.R.O.", chorus="R.RO.RO.R.RO.R5O", low=33),
    chords=Comping(
        Sound(82, -5, -0.5, 0.0), verse="1234123412341234", chorus="1235123512361235", voices=3, centre=64, enters=0.2
    ),
    arpeggio=Comping(
        Sound(82, -7, 0.5, 0.0), verse="..1...3...5...3.", chorus="5.3.1.3.5.3.1.3.", voices=3, centre=70, enters=0.6
    ),
    melody=Melody(Sound(82, 0, 0.1, 0.05), notes=6.2, centre=74, syncopation=0.35, legato=0.8),
    counter=Counter(Sound(82, -8, -0.3, 0.05), centre=66, enters=0.6),
    looseness=0,
    leads=(82,),
)
