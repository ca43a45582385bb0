"""Do the MIDI and LRC files say what is played and sung? Read back by a MIDI library and as text."""

import io
from dataclasses import replace

import mido
import pytest

from acestep_serverless.engines.sketch.lrc import lrc_file
from acestep_serverless.engines.sketch.midi import TICKS_PER_BEAT, midi_file
from acestep_serverless.engines.sketch.score import Note, Part, Score, Section
from acestep_serverless.engines.sketch.voice.song import SungLine, SungNote, Vocals
from acestep_serverless.engines.sketch.voice.syllables import Syllable

BASS = Part("Bass", "bass", 33, (Note(0.0, 1.0, 40, 90), Note(1.0, 0.5, 43, 80)), gain=-6.0, pan=-1.0)
DRUMS = Part("Drums", "drums", 8, (Note(0.0, 0.25, 36, 100), Note(1.02, 0.25, 38, 100)))
SCORE = Score(
    style="pop",
    seconds=8.0,
    tempo=120.0,
    key_scale="F# minor",
    time_signature="4",
    beats_per_bar=4.0,
    sections=(Section("verse", 0.0, 8.0, 0.5), Section("chorus", 8.0, 8.0, 0.9)),
    parts=(DRUMS, BASS),
)


def sung(text: str, start: float, *words: tuple[str, ...]) -> SungLine:
    """A line whose syllables take half a beat each, the last one with a melisma."""
    syllables = [(piece, number == len(word) - 1) for word in words for number, piece in enumerate(word)]
    notes = [
        SungNote(start + 0.5 * place, 0.5, 60 + place, 90, Syllable(piece, ("a",), 0, ends))
        for place, (piece, ends) in enumerate(syllables)
    ]
    return SungLine(text, (*notes, SungNote(start + 0.5 * len(notes), 0.5, 59, 90, None)))


SONG = replace(
    SCORE,
    seconds=30.0,
    vocals=Vocals(
        (
            sung("Hello, brave world!", 2.0, ("Hel", "lo"), ("brave",), ("world",)),
            sung("We\u2019re here", 20.0, ("We're",), ("here",)),
        ),
        "en",
        harmonies=((SungNote(2.0, 0.5, 64, 70, None),),),
    ),
)


def read(score: Score) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(midi_file(score)), charset="utf-8")


def timed(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    now, found = 0, []
    for message in track:
        now += message.time
        found.append((now, message))
    return found


def notes(track: mido.MidiTrack) -> list[tuple[int, int, int, int]]:
    """Start, length, pitch and velocity of a track's notes."""
    sounding: dict[int, tuple[int, int]] = {}
    found = []
    for tick, message in timed(track):
        if message.type == "note_on":
            assert message.note not in sounding, "a key that is down is not pressed"
            sounding[message.note] = tick, message.velocity
        elif message.type == "note_off":
            start, velocity = sounding.pop(message.note)
            found.append((start, tick - start, message.note, velocity))
    assert not sounding, "every note ends"
    return sorted(found)


def test_the_first_track_has_tempo_meter_key_and_the_sections() -> None:
    conducting = {message.type: message for message in read(SCORE).tracks[0] if message.type != "marker"}
    assert (conducting["set_tempo"].tempo, conducting["key_signature"].key) == (500_000, "F#m")
    assert (conducting["time_signature"].numerator, conducting["time_signature"].denominator) == (4, 4)
    markers = [(tick, message.text) for tick, message in timed(read(SCORE).tracks[0]) if message.type == "marker"]
    assert markers == [(0, "verse"), (8 * TICKS_PER_BEAT, "chorus")]


@pytest.mark.parametrize(
    ("given", "written"), [("D# minor", "Ebm"), ("Gb major", "F#"), ("C major", "C"), ("A♭ major", "Ab")]
)
def test_every_key_has_a_signature(given: str, written: str) -> None:
    found = [
        message.key for message in read(replace(SCORE, key_scale=given)).tracks[0] if message.type == "key_signature"
    ]
    assert found == [written]


@pytest.mark.parametrize(("meter", "parts"), [("2", (2, 4)), ("3", (3, 4)), ("6", (6, 8))])
def test_every_meter_is_written_as_it_is_called(meter: str, parts: tuple[int, int]) -> None:
    file = read(replace(SCORE, time_signature=meter))
    found = [(m.numerator, m.denominator) for m in file.tracks[0] if m.type == "time_signature"]
    assert found == [parts]


def test_each_part_has_a_track_with_its_notes_and_drums_are_on_channel_ten() -> None:
    file = read(SCORE)
    assert [track.name for track in file.tracks] == ["pop", "Drums", "Bass"]
    assert {m.channel for m in file.tracks[1] if not m.is_meta} == {9}
    assert {m.channel for m in file.tracks[2] if not m.is_meta} == {0}
    assert notes(file.tracks[1]) == [(0, 120, 36, 100), (490, 120, 38, 100)]
    assert notes(file.tracks[2]) == [(0, 480, 40, 90), (480, 240, 43, 80)]
    desk = {m.control: m.value for m in file.tracks[2] if m.type == "control_change"}
    assert (desk[7], desk[10]) == (71, 1)
    assert file.length == pytest.approx(8.0, abs=0.01)


def test_a_note_that_sounds_into_the_next_of_its_pitch_ends_there() -> None:
    twice = replace(BASS, notes=(Note(0.0, 2.0, 40, 90), Note(1.0, 1.0, 40, 80), Note(1.0, 1.0, 40, 70)))
    assert notes(read(replace(SCORE, parts=(twice,))).tracks[1])[0] == (0, 480, 40, 90)


def test_the_tune_bears_its_words_as_lyric_events() -> None:
    file = read(SONG)
    assert [track.name for track in file.tracks[-2:]] == ["Voice", "Harmony 1"]
    words = [(tick, m.text) for tick, m in timed(file.tracks[-2]) if m.type == "lyrics"]
    assert words[:4] == [(960, "Hel"), (1200, "lo "), (1440, "brave "), (1680, "world\r")]
    assert len(notes(file.tracks[-2])) == 8
    assert not [m for m in file.tracks[-1] if m.type == "lyrics"]


def test_the_same_score_is_the_same_bytes() -> None:
    assert midi_file(SONG) == midi_file(SONG)


def test_lines_and_words_have_their_times_and_the_texts_own_signs() -> None:
    found = lrc_file(SONG, "brave\n[new] world")
    assert found is not None
    assert found.decode().splitlines() == [
        "[ti:brave (new) world]",
        "[length:00:30]",
        "[00:01.00]<00:01.00>Hello, <00:01.50>brave <00:01.75>world!",
        "[00:02.25]",
        "[00:10.00]<00:10.00>We\u2019re <00:10.25>here",
        "[00:10.75]",
    ]


def test_words_that_the_text_does_not_have_are_told_as_they_are_sung() -> None:
    line = sung("100%", 0.0, ("one",), ("hun", "dred"))
    found = lrc_file(replace(SONG, vocals=Vocals((line,), "en")))
    assert found is not None
    assert b"[00:00.00]<00:00.00>one <00:00.25>hundred\n" in found


def test_a_text_without_spaces_stays_without() -> None:
    found = lrc_file(replace(SONG, vocals=Vocals((sung("你好\uff0c世界", 0.0, ("你", "好"), ("世",), ("界",)),), "zh")))
    assert found is not None
    assert "<00:00.00>你好\uff0c<00:00.50>世<00:00.75>界" in found.decode()


@pytest.mark.parametrize("vocals", [None, Vocals((), "en"), Vocals((SungLine("silent", ()),), "en")])
def test_where_nothing_is_sung_there_is_no_lrc(vocals: Vocals | None) -> None:
    assert lrc_file(replace(SCORE, vocals=vocals)) is None
