"""How do the old dances and cradle songs sound? Celtic, lullaby, waltz and march."""

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

CELTIC = Style(
    name="celtic",
    genre="celtic",
    words={
        "celtic": 6,
        "irish": 5,
        "scottish": 5,
        "jig": 5,
        "reel": 4,
        "bagpipe": 4,
        "bagpipes": 4,
        "tin whistle": 4,
        "bodhran": 4,
        "highland": 3,
        "medieval": 3.5,
        "tavern": 3.5,
        "pirate": 3,
        "sea shanty": 4,
        "shanty": 4,
        "nordic": 2,
        "fiddle": 2,
        "tarantella": 3,
    },
    tempo=(156, 174),
    minor=0.3,
    meter="6",
    progressions=Progressions(
        verse=("1 | 1 | 4 | 5M", "1 | b7 | 1 | 4"),
        chorus=("1 | 4 | 1 | 5M", "1 | 1 | b7 | 1"),
        bridge=("6 | 4 | 1 | 5M",),
        cadence="5M",
    ),
    drums=Drums(
        kit=40,
        verse={"floor": "X.oxX.oxX.oxX.ox", "tamb": "....x.......x..."},
        chorus={"floor": "X.xxX.xxX.xxX.xx", "deep": "X.......X.......", "tamb": "x..xX..xx..xX..x"},
        fills=(
            {"floor": "XxxxX...XxxxX...", "mid": "......xx......xx"},
            {"floor": "X.xxX.xxXxxxXxxx", "tamb": "x...x...x...x..."},
        ),
        gain=-1,
        reverb=0.2,
        crash="tamb",
    ),
    bass=Bass(Sound(32, -4, 0.0, 0.1), verse="R---R---R---5---", chorus="R---5---R---5-A-"),
    chords=Comping(Sound(25, -2, -0.35, 0.2), verse="d-.ud-.ud-.ud-.u", chorus="d-uud-uud-uud-uu", voices=5, centre=60),
    pad=Pad(Sound(20, -12, 0.0, 0.4), enters=0.4, centre=57, voices=3),
    arpeggio=Comping(
        Sound(46, -6, 0.4, 0.4), verse="1-234-321-234-32", chorus="1-324-531-324-53", centre=66, enters=0.3
    ),
    melody=Melody(Sound(110, 0, 0.1, 0.35), notes=8.0, centre=72, syncopation=0.0, legato=0.9),
    counter=Counter(Sound(73, -4, 0.35, 0.4), centre=72, enters=0.5),
    looseness=7,
    leads=(110, 78, 73, 21),
)

LULLABY = Style(
    name="lullaby",
    genre="lullaby",
    words={
        "lullaby": 6,
        "baby": 2.5,
        "bedtime": 4,
        "nursery": 5,
        "nursery rhyme": 3,
        "cradle": 4,
        "music box": 3,
        "children": 2.5,
        "childrens": 2.5,
        "kids": 2.5,
        "toy": 2,
        "sleepy": 2,
        "christmas": 2,
    },
    tempo=(76, 92),
    minor=0.05,
    meter="3",
    progressions=Progressions(
        verse=("1 | 1 | 5M | 1", "1 | 4 | 5M | 1"),
        chorus=("4 | 1 | 5M | 1", "1 | 4 | 1 | 5M"),
        bridge=("6 | 2 | 5M | 5M",),
        cadence="5M",
    ),
    drums=None,
    bass=Bass(Sound(46, -6, 0.0, 0.3), verse="R---------------", chorus="R-------....5---", low=36),
    chords=Comping(Sound(8, -4, -0.2, 0.4), verse="1---3---....5---", chorus="1-3-5-3-....4-3-", voices=3, centre=67),
    pad=Pad(Sound(49, -12, 0.1, 0.5), enters=0.45, centre=62, voices=3),
    arpeggio=Comping(
        Sound(46, -6, 0.3, 0.4), verse="1-2-3-4-....3-2-", chorus="1-2-3-4-....5-4-", voices=3, centre=60, enters=0.4
    ),
    melody=Melody(Sound(10, 0, 0.1, 0.45), notes=3.6, centre=76, syncopation=0.0, legato=1.0, pentatonic=True),
    counter=Counter(Sound(73, -8, 0.3, 0.4), centre=72, enters=0.75),
    looseness=9,
    voices=("female", "child"),
    leads=(10, 10, 8, 73),
)

WALTZ = Style(
    name="waltz",
    genre="waltz",
    words={
        "waltz": 5,
        "viennese": 5,
        "ballroom": 3.5,
        "vienna": 4,
        "musette": 5,
        "carousel": 3,
        "merry go round": 3,
        "parisian": 4,
        "french cafe": 4,
        "accordion": 2,
        "strauss": 4,
    },
    tempo=(146, 172),
    minor=0.2,
    meter="3",
    progressions=Progressions(
        verse=("1 | 1 | 57 | 57 | 57 | 57 | 1 | 1", "1 | 1 | 4 | 4 | 57 | 57 | 1 | 1"),
        chorus=("1 | 6 | 2 | 57", "57 | 1 | 57 | 1"),
        bridge=("4 | 4 | 1 | 1 | 27 | 27 | 57 | 57",),
        cadence="57",
    ),
    drums=Drums(
        kit=48,
        verse={"deep": "x...............", "triangle": "....o.......o..."},
        chorus={"deep": "X...............", "snare": "....o...o...o...", "triangle": "x..............."},
        fills=(
            {"deep": "X...............", "snare": "....x...x...x.xx"},
            {"snare": "x...x.x.x...x.x.", "deep": "X..............."},
        ),
        gain=-6,
        reverb=0.35,
    ),
    bass=Bass(
        Sound(43, -2, 0.1, 0.25), verse="R---............|5---............", chorus="R---........5---|R---........3-A-"
    ),
    chords=Comping(
        Sound(48, -1, -0.25, 0.35), verse="....x-..x-..x-..", chorus="....X-..X-..X-..", voices=4, centre=62
    ),
    pad=Pad(Sound(60, -10, 0.1, 0.45), enters=0.6, centre=58, voices=3),
    arpeggio=Comping(
        Sound(46, -7, 0.35, 0.4), verse="1---3---5---4---", chorus="1-2-3-4-5-6-5-4-", centre=64, enters=0.5
    ),
    melody=Melody(Sound(40, 1, 0.1, 0.4), notes=3.2, centre=74, syncopation=0.0, legato=0.95),
    counter=Counter(Sound(71, -4, 0.3, 0.4), centre=70, enters=0.5),
    looseness=9,
    leads=(40, 48, 73, 21),
)

MARCH = Style(
    name="march",
    genre="march",
    words={
        "march": 5,
        "marching": 5,
        "marching band": 5,
        "military": 5,
        "parade": 4,
        "anthem": 2,
        "national": 2,
        "brass band": 5,
        "fanfare": 4,
        "polka": 4,
        "oompah": 5,
        "circus": 4,
        "patriotic": 3,
        "tuba": 2,
    },
    tempo=(112, 124),
    minor=0.08,
    meter="2",
    progressions=Progressions(
        verse=("1 | 1 | 5M | 1", "1 | 1 | 4 | 1 | 5M | 5M | 1 | 1"),
        chorus=("4 | 1 | 5M | 1", "1 | 5M | 1 | 4 | 1 | 5M | 1 | 1"),
        bridge=("6 | 3 | 6 | 5M",),
        cadence="5M",
    ),
    drums=Drums(
        kit=48,
        verse={"deep": "X...X...X...X...", "snare": "x.oox.oox.oox.oo"},
        chorus={
            "deep": "X...X...X...X...",
            "snare": "x.xxx.oox.xxxrox",
            "crash": "x...............",
            "hat": "..x...x...x...x.",
        },
        fills=(
            {"deep": "X...X...X...X...", "snare": "xrxrxrxrxrxrxxxx"},
            {"deep": "X...X...X.......", "snare": "x.xxX.xxX.x.X..."},
        ),
        gain=1,
        reverb=0.25,
    ),
    bass=Bass(Sound(58, 0, 0.0, 0.2), verse="R-..5-..R-..5-..", chorus="R-..5-..R-..5-A-", low=31),
    chords=Comping(Sound(60, -2, -0.3, 0.3), verse="..x...x...x...x.", chorus="..X...X...X...X.", voices=4, centre=60),
    pad=Pad(Sound(61, -11, 0.1, 0.35), enters=0.8, centre=62),
    arpeggio=Comping(
        Sound(71, -7, 0.35, 0.3), verse="1-3-2-3-1-3-2-3-", chorus="5-3-4-3-5-3-4-3-", centre=72, enters=0.5
    ),
    melody=Melody(Sound(56, 1, 0.1, 0.25), notes=5.0, centre=70, syncopation=0.0, legato=0.8),
    counter=Counter(Sound(57, -2, 0.3, 0.3), centre=58, enters=0.4),
    looseness=6,
    voices=("choir", "male"),
    leads=(56, 61, 72),
)
