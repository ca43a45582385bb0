"""The sketch engine as its callers see it: songs in seed order, honest metas and warnings, delivered at -14 LUFS."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from acestep_serverless.audio.codec import encode
from acestep_serverless.audio.decode import decode
from acestep_serverless.audio.loudness import integrated_loudness, true_peak
from acestep_serverless.engines import ENGINE_NAMES, load_engine
from acestep_serverless.engines.base import Engine, GenerationRequest, Piece, Song
from acestep_serverless.engines.sketch import soundfont
from acestep_serverless.engines.sketch.styles import STYLES
from acestep_serverless.engines.turns import songs_of
from acestep_serverless.errors import EngineUnavailable, GenerationCancelled


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = load_engine("sketch")
    made.load(quiet)
    return made


def quiet(_fraction: float, _stage: str) -> None:
    """Take progress that this test does not look at."""


def songs(engine: Engine, caption: str, duration: float, *seeds: int, lyrics: str = "") -> list[Song]:
    return list(songs_of(engine, GenerationRequest(caption, lyrics, duration, seeds), quiet))


@pytest.mark.parametrize(
    ("style", "duration"), [(style, 3.0 + 2.5 * (place % 4)) for place, style in enumerate(list(STYLES)[::4])]
)
def test_the_delivered_file_is_as_loud_as_promised(engine: Engine, tmp_path: Path, style: str, duration: float) -> None:
    """-14 LUFS within 0.5 and at most -1 dBTP, measured on what a listener's player decodes; length within 50 ms."""
    (song,) = songs(engine, style, duration, 11)
    encode(song.clip, tmp_path / "song.mp3", "mp3", {})
    delivered = decode(tmp_path / "song.mp3")
    assert integrated_loudness(delivered) == pytest.approx(-14.0, abs=0.5)
    assert true_peak(delivered) <= -1.0
    assert delivered.seconds == pytest.approx(duration, abs=0.05)
    assert song.metas.genres.split(", ")[0] == style


@pytest.mark.parametrize("duration", [1.0, 1.5, 2.0])
def test_the_shortest_songs_are_made_too(engine: Engine, duration: float) -> None:
    (song,) = songs(engine, "pop", duration, 1)
    assert song.clip.samples.shape == (2, round(duration * 48_000))
    assert integrated_loudness(song.clip) == pytest.approx(-14.0, abs=0.5)


def test_a_batch_comes_in_seed_order_and_each_seed_is_its_own_song(engine: Engine) -> None:
    batch = songs(engine, "house", 4.0, 5, 6, 5)
    assert [(song.index, song.seed) for song in batch] == [(0, 5), (1, 6), (2, 5)]
    assert np.array_equal(batch[0].clip.samples, batch[2].clip.samples)
    assert not np.array_equal(batch[0].clip.samples, batch[1].clip.samples)


def test_progress_spans_the_batch(engine: Engine) -> None:
    heard: list[tuple[float, str]] = []
    request = GenerationRequest("folk", "", 3.0, (1, 2))
    list(songs_of(engine, request, lambda fraction, stage: heard.append((fraction, stage))))
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert [fraction for fraction, stage in heard if stage == "composing"] == [0.0, 0.5]


def test_metas_are_those_of_the_request(engine: Engine) -> None:
    request = GenerationRequest("jazz", "", 4.0, (1,), bpm=100, key_scale="F minor", time_signature="3")
    (song,) = songs_of(engine, request, quiet)
    assert (song.metas.key_scale, song.metas.time_signature) == ("F minor", "3")
    assert song.metas.bpm == pytest.approx(100, abs=3)
    assert song.metas.duration == 4.0


def test_text_beyond_what_is_read_is_said(engine: Engine) -> None:
    (song,) = songs(engine, "pop " * 200, 2.0, 1, lyrics="la " * 2000)
    assert any(warning.startswith("caption:") and "288 more" in warning for warning in song.warnings)
    assert any(warning.startswith("lyrics:") and "1904 more" in warning for warning in song.warnings)
    assert song.caption == "pop " * 200
    assert not any(warning.startswith(("caption:", "lyrics:")) for warning in songs(engine, "pop", 2.0, 1)[0].warnings)


@pytest.mark.parametrize("stage", ["composing", "tuning", "playing", "mastering"])
def test_a_cancel_during_the_longest_song_is_noticed_at_once(engine: Engine, stage: str) -> None:
    """Within 0.3 s on a free machine; here it is processor time that counts, since other tests share the cores."""
    asked, at = threading.Event(), 0.0

    def watch(_fraction: float, text: str) -> None:
        nonlocal at
        if text.startswith(stage) and not asked.is_set():
            at = time.process_time()
            asked.set()

    request = GenerationRequest("house", "", 600.0 if stage != "mastering" else 60.0, (1,))
    with pytest.raises(GenerationCancelled):
        list(songs_of(engine, request, watch, asked.is_set))
    assert time.process_time() - at < 1.5


def test_a_piece_that_is_no_longer_wanted_ends_alone(engine: Engine) -> None:
    pieces = [Piece(GenerationRequest("folk", "", 2.0, (seed,)), quiet, lambda seed=seed: seed == 1) for seed in (1, 2)]
    made = list(engine.generate(pieces))
    assert [(entry.piece, entry.song is None) for entry in made] == [(0, True), (1, False)]
    assert isinstance(made[0].failure, GenerationCancelled)
    assert engine.sharing(pieces[0].request) is None


def test_engines_by_name() -> None:
    assert ENGINE_NAMES == ("auto", "sketch", "acestep")
    assert load_engine("auto").name == load_engine("sketch").name == "sketch"
    with pytest.raises(EngineUnavailable, match="no weights of acestep-v15-turbo"):
        load_engine("acestep")
    with pytest.raises(EngineUnavailable, match="one of auto, sketch, acestep"):
        load_engine("banjo")


def test_a_missing_sound_bank_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfont, "PACKAGE", "no_such_package_here")
    with pytest.raises(EngineUnavailable, match="pip install no_such_package_here"):
        load_engine("sketch").load(quiet)


def test_a_broken_sound_bank_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank.sf2").write_bytes(b"RIFF....WAVE")
    with pytest.raises(EngineUnavailable, match="not a SoundFont"):
        soundfont.SoundFont(tmp_path / "bank.sf2")
