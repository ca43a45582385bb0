"""Do lyrics become the right sections, lines and syllables?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_serverless.engines.sketch.lyrics import Line, LyricSection, parse_lyrics, said_of_tags, section_name
from acestep_serverless.engines.sketch.voice.counting import line_syllables


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Walking down the street", 5),
        ("I love the people at home", 7),
        ("fire", 1),
        ("table", 2),
        ("don't stop believing", 5),
        ("...", 0),
        ("Müde Augen träumen", 6),
        ("Vamos a la playa", 6),
        ("月亮代表我的心", 7),
        ("さくら", 3),
        ("사랑해요", 4),
        ("Катюша", 3),
        ("24", 2),
    ],
)
def test_syllables_are_counted_close_to_how_they_are_sung(line, count):
    assert line_syllables(line) == count


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("Verse 2", "verse"),
        ("CHORUS", "chorus"),
        ("Pre-Chorus", "prechorus"),
        ("Hook", "chorus"),
        ("Bridge: whispered", "bridge"),
        ("intro - piano", "intro"),
        ("Outro", "outro"),
        ("inst", "instrumental"),
        ("Guitar Solo", "instrumental"),
        ("Spoken word", "verse"),
        ("Zwischenspiel", "verse"),
    ],
)
def test_tags_name_their_sections_and_unknown_ones_are_verses(tag, name):
    assert section_name(tag) == name


def test_tagged_lyrics_keep_their_order_and_lines():
    text = "[Intro]\n\n[Verse 1]\nWalking alone\nunder the moon\n\n[Chorus]\nOh oh oh\n"
    assert parse_lyrics(text) == (
        LyricSection("intro", ()),
        LyricSection("verse", (Line("Walking alone", 4), Line("under the moon", 4))),
        LyricSection("chorus", (Line("Oh oh oh", 3),)),
    )


def test_a_tag_that_is_not_closed_is_sung_and_named():
    text = "[Verse]\nhello [you]\n[Chorus\nsunshine\n【副歌\n[a] b\n[\n["
    assert [line.text for section in parse_lyrics(text) for line in section.lines][1] == "[Chorus"
    told = said_of_tags(text)
    assert [warning.split("'")[1] for warning in told] == ["[Chorus", "【副歌"]
    assert said_of_tags("[Verse 1]\nhello\n[Chorus - loud]\nsun (oh [yeah])") == ()


def test_text_before_the_first_tag_is_a_verse():
    assert [section.name for section in parse_lyrics("la la\n[Chorus]\nhey")] == ["verse", "chorus"]


@pytest.mark.parametrize("text", ["", "  \n ", "[Instrumental]", "[inst]", "\n[instrumental]\n"])
def test_no_words_and_no_form_means_no_sections(text):
    assert parse_lyrics(text) == ()


def test_untagged_stanzas_that_return_are_the_chorus():
    text = "one two\n\nhey hey\n\nthree four\n\nhey hey"
    assert [section.name for section in parse_lyrics(text)] == ["verse", "chorus", "verse", "chorus"]


def test_a_line_too_long_for_one_breath_is_sung_in_several():
    (section,) = parse_lyrics(
        "[Verse]\nWalking down the empty street tonight, every window holds a little light for me"
    )
    assert [line.text for line in section.lines] == [
        "Walking down the empty street tonight,",
        "every window holds a little light for me",
    ]
    assert max(line.count for section in parse_lyrics("la " * 1000) for line in section.lines) <= 20
    assert len(parse_lyrics("\u6708" * 50)[0].lines) == 4


@given(st.text(max_size=300))
def test_any_text_gives_sections_with_positive_counts(text):
    assert all(line.count > 0 and line.text for section in parse_lyrics(text) for line in section.lines)
