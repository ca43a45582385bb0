"""Is a request read as it was meant? Style, tempo, key, meter, players, and what is left out."""

import pytest

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.brief import Brief, make_brief
from acestep_serverless.engines.sketch.styles import STYLES
from acestep_serverless.engines.sketch.theory import Key, parse_key

SEEDS = range(12)


def brief(caption: str, seed: int = 1, **fields) -> Brief:
    return make_brief(GenerationRequest(caption, fields.pop("lyrics", ""), 60, (seed,), **fields), seed)


@pytest.mark.parametrize("name", STYLES)
def test_a_caption_that_is_a_style_name_chooses_that_style(name):
    assert brief(name).style.name == name
    assert brief(f"A {name.title()} song!").style.name == name


@pytest.mark.parametrize(
    ("caption", "style"),
    [
        ("Upbeat electronic instrumental with bright synths", "house"),
        ("Cinematic orchestral trailer music", "cinematic"),
        ("chill lo-fi beats to study to", "lo-fi hip hop"),
        ("aggressive metal with distorted guitars", "metal"),
        ("smoky jazz trio with upright bass", "jazz"),
        ("80s synthwave night drive", "synthwave"),
        ("Hip-hop with booming 808 and hi-hats", "trap"),
        ("warm acoustic guitar folk song", "folk"),
        ("sad solo piano", "piano ballad"),
        ("drum'n'bass roller", "drum and bass"),
        ("Latin café music with nylon guitar", "bossa nova"),
        ("deep meditation soundscape", "ambient"),
        ("funky groove with slap bass", "funk"),
    ],
)
def test_captions_pick_the_style_a_listener_would_expect(caption, style):
    assert {brief(caption, seed).style.name for seed in SEEDS} == {style}


def test_a_caption_without_known_words_leaves_the_style_to_the_seed():
    assert len({brief("qwertz blorp", seed).style.name for seed in range(30)}) >= 3


def test_unknown_words_change_the_seeded_choices_but_not_what_known_words_decided():
    plain, more = brief("techno in E minor 131 bpm"), brief("techno in E minor 131 bpm zzyzx")
    assert (plain.style, plain.tempo, plain.key) == (more.style, more.tempo, more.key)
    assert plain.chance != more.chance


def test_the_requests_own_numbers_win_over_the_captions():
    found = brief("slow waltz in C major, 70 bpm", bpm=171, key_scale="F# minor", time_signature="6")
    assert (found.tempo, found.tempo_given, found.key_scale, found.meter) == (171.0, True, "F# minor", "6")
    assert found.key == Key(6, "minor")


@pytest.mark.parametrize("letter", "ABCDEFG")
@pytest.mark.parametrize("accidental", ["", "#", "b", "♯", "♭"])
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_all_seventy_keys_are_read_and_echoed(letter, accidental, mode):
    name = f"{letter}{accidental} {mode}"
    assert brief("pop", key_scale=name).key_scale == name
    assert parse_key(name).mode == mode


def test_enharmonic_keys_share_their_tonic():
    assert parse_key("C# minor").tonic == parse_key("D♭ minor").tonic == 1
    assert parse_key("Cb major").tonic == 11
    assert parse_key("B♯ major").tonic == 0


@pytest.mark.parametrize("wrong", ["H major", "C", "c# minor", "C## minor", "C dorian"])
def test_a_key_of_another_shape_is_refused(wrong):
    with pytest.raises(ValueError, match="not a key"):
        parse_key(wrong)


@pytest.mark.parametrize(
    ("caption", "meter"),
    [("a waltz", "3"), ("6/8 jig", "6"), ("march in 2/4", "2"), ("pop", "4"), ("rock in 3/4 time", "3")],
)
def test_the_caption_may_name_the_meter(caption, meter):
    assert brief(caption).meter == meter


@pytest.mark.parametrize(
    ("caption", "key"),
    [
        ("pop in A minor", Key(9, "minor")),
        ("rock, E-flat major", Key(3, "major")),
        ("jazz in F# major", Key(6, "major")),
    ],
)
def test_the_caption_may_name_the_key(caption, key):
    assert brief(caption).key == key


def test_the_caption_may_name_the_tempo_and_words_move_it():
    assert brief("house at 126 BPM").tempo == 126
    assert brief("house at 126 BPM").tempo_given
    for seed in SEEDS:
        slow, fast = brief("very slow pop", seed).tempo, brief("very fast pop", seed).tempo
        assert slow < STYLES["pop"].tempo[0] < STYLES["pop"].tempo[1] < fast
    assert not brief("slow pop").tempo_given


def test_moods_choose_the_mode():
    assert {brief("sad gloomy pop", seed).key.mode for seed in SEEDS} == {"minor"}
    assert {brief("happy joyful synthwave", seed).key.mode for seed in SEEDS} == {"major"}
    assert brief("peaceful pop").lift < 0 < brief("energetic pop").lift


@pytest.mark.parametrize(
    ("caption", "silent"),
    [
        ("rock, no drums", {"drums"}),
        ("pop without drums or bass", {"drums", "bass"}),
        ("drumless jazz", {"drums"}),
        ("no vocals, rock", {"voice"}),
        ("ambient with no beat", {"drums"}),
    ],
)
def test_what_the_caption_leaves_out_is_silent_and_does_not_choose_the_style(caption, silent):
    assert brief(caption).seats.silent == silent
    assert brief("no rock, jazz").style.name == "jazz"


@pytest.mark.parametrize(("caption", "program"), [("solo piano", 0), ("just a guitar", 24), ("harp only", 46)])
def test_a_solo_instrument_plays_everything(caption, program):
    assert brief(caption).seats.solo == program


def test_a_guitar_solo_is_not_a_solo_guitar():
    assert brief("rock with a guitar solo").seats.solo is None


def test_named_instruments_take_their_roles():
    found = brief("folk with violin and harp and electric piano")
    assert dict(found.seats.programs) == {"melody": 40, "arpeggio": 46, "chords": 4}


def test_a_wrong_time_signature_is_refused():
    with pytest.raises(ValueError, match="time signature"):
        brief("pop", time_signature="5")
