"""Does every format come through whole? From the engine's samples over the ACE-Step API into the handler's answer."""

from pathlib import Path

import av
import pytest
from handler_studio import Studio

from acestep_serverless.audio.decode import probe
from acestep_serverless.audio.formats import FORMATS


@pytest.mark.parametrize("name", FORMATS)
async def test_a_song_arrives_in_the_format_that_was_asked_for(studio: Studio, name: str) -> None:
    output = await studio.ask({"caption": "a calm tone", "duration": 1, "seed": 7, "audio_format": name})
    assert "error" not in output, output
    (song,) = output["results"]
    path = Path(song["file"])
    assert (path.suffix, song["content_type"]) == (FORMATS[name].suffix, FORMATS[name].media_type)
    facts = probe(path)
    assert abs(facts.seconds - 1) < 0.1
    assert (facts.sample_rate, facts.channels) == (48_000, 2)
    assert facts.codec == {"mp3": "mp3", "wav": "pcm_s16le", "wav32": "pcm_f32le"}.get(name, name)
    with av.open(str(path)) as container:
        tags = {**container.metadata, **container.streams[0].metadata}
    told = {key.lower(): value for key, value in tags.items()}
    assert (told["title"], told["comment"]) == ("a calm tone", "made by the tone engine, seed 7")
