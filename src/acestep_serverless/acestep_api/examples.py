"""What could a song be about? A small table of ideas, for whoever asks for any and there is no language model."""

from dataclasses import dataclass

from acestep_serverless.engines.extras import SongText


@dataclass(frozen=True, slots=True)
class Example:
    """An idea in one sentence, and the song text it could become."""

    description: str
    text: SongText


def _song(
    description: str,
    caption: str,
    lyrics: str,
    bpm: int,
    key: str,
    *,
    time: str = "4",
    seconds: float = 120.0,
    language: str = "en",
) -> Example:
    instrumental = lyrics == "[Instrumental]"
    return Example(
        description,
        SongText(caption, lyrics, bpm, seconds, key, time, "unknown" if instrumental else language, instrumental),
    )


EXAMPLES: tuple[Example, ...] = (
    _song(
        "A slow piano waltz for an empty ballroom",
        "solo felt piano, slow waltz, intimate, soft pedal noise, melancholic, close microphones",
        "[Instrumental]",
        84,
        "A minor",
        time="3",
        seconds=90.0,
    ),
    _song(
        "A bright synth-pop song about the first train home",
        "synth-pop, bright analog arpeggios, gated drums, warm bass, hopeful female vocals",
        "[Verse]\nPlatform lights are turning blue\nLast night's dust is on my shoe\n"
        "Doors will open, I'll be through\n\n"
        "[Chorus]\nFirst train home, the town is mine\nEvery window starts to shine",
        118,
        "E major",
    ),
    _song(
        "Lo-fi beats for a rainy evening",
        "lo-fi hip hop, dusty drums, mellow electric piano, vinyl crackle, rain, relaxed",
        "[Instrumental]",
        78,
        "D minor",
    ),
    _song(
        "Ein ruhiges Wiegenlied auf Deutsch",
        "lullaby, acoustic guitar, soft male vocals, gentle, warm, sparse",
        "[Verse]\nDer Tag legt seine Schuhe ab\nDer Mond steht auf der Leiter\nEin Stern zählt deine Träume ab\n"
        "Und morgen geht es weiter",
        72,
        "G major",
        time="3",
        language="de",
    ),
    _song(
        "Driving rock with a big last chorus",
        "alternative rock, distorted guitars, driving drums, anthemic, raw male vocals",
        "[Verse]\nSomebody drew a line in the road\nSaid this is as far as the engine goes\n\n"
        "[Chorus]\nSo we push, we push till the morning breaks\nAs far as it goes is as far as it takes",
        142,
        "B minor",
        seconds=150.0,
    ),
    _song(
        "A samba for brass and a crowded street",
        "samba, brass section, surdo and tamborim, energetic, live street recording",
        "[Instrumental]",
        104,
        "F major",
        time="2",
    ),
    _song(
        "Une chanson française légère au bord de l'eau",
        "chanson, accordion, upright bass, brushed drums, light, playful female vocals",
        "[Couplet]\nLe fleuve a mis sa robe grise\nLe pont lui prête son reflet\n\n"
        "[Refrain]\nEt moi je marche à ma guise\nOù le courant me promet",
        112,
        "C major",
        time="6",
        language="fr",
    ),
    _song(
        "Dark ambient drones for a film about deep water",
        "dark ambient, low drones, distant metallic textures, slow swells, cinematic, no drums",
        "[Instrumental]",
        60,
        "C minor",
        seconds=180.0,
    ),
)
"""Ours; upstream ships two hundred of its own."""
