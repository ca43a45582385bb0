"""Is each song asked for in the model's own format, and is what cannot be asked refused by name?"""

from typing import Any

import numpy as np
import pytest
from generation import asked, noise_clip

from acestep_serverless.audio.clip import Clip
from acestep_serverless.engines.acestep.codes import write_codes
from acestep_serverless.engines.acestep.conditioning import _excerpts
from acestep_serverless.engines.acestep.tasks import Repainting, brief, unused
from acestep_serverless.engines.base import Editing
from acestep_serverless.errors import InputError

SOURCE = noise_clip(2.0)


def edited(**editing: Any) -> Any:
    return brief(asked(1, editing=Editing(**{"source": SOURCE, **editing})), 600.0)


def test_the_text_is_instruction_caption_and_metas() -> None:
    assert brief(asked(1, duration=12.9), 600.0).text == (
        "# Instruction\nFill the audio semantic mask based on the given conditions:\n\n"
        "# Caption\na calm piano song\n\n"
        "# Metas\n- bpm: 120\n- timesignature: 4\n- keyscale: C# minor\n- duration: 12 seconds\n<|endoftext|>\n"
    )


def test_open_metas_are_not_available_and_lyrics_name_their_language() -> None:
    song = brief(asked(1, bpm=None, key_scale=" ", time_signature="", vocal_language="unknown"), 600.0)
    assert "- bpm: N/A\n- timesignature: N/A\n- keyscale: N/A\n" in song.text
    assert song.lyrics == "# Languages\nunknown\n\n# Lyric\n[Verse]\nThe river runs below the hill<|endoftext|>"


@pytest.mark.parametrize(
    ("editing", "instruction"),
    [
        ({"task_type": "cover"}, "Generate audio semantic tokens based on the given conditions:"),
        ({"task_type": "repaint"}, "Repaint the mask area based on the given conditions:"),
        ({"task_type": "lego", "track_name": "drums"}, "Generate the DRUMS track based on the audio context:"),
        ({"task_type": "extract"}, "Extract the track from the audio:"),
        (
            {"task_type": "complete", "track_classes": ("bass", "vocals")},
            "Complete the input track with BASS | VOCALS:",
        ),
        ({"task_type": "cover", "instruction": "Sing it"}, "Sing it:"),
        ({"source": None, "audio_code_string": "<|audio_code_7|>"}, "Generate audio semantic tokens based on"),
    ],
)
def test_each_task_has_its_instruction(editing: dict[str, Any], instruction: str) -> None:
    assert edited(**editing).text.startswith(f"# Instruction\n{instruction}")


def test_a_cover_that_lets_go_of_its_source_reads_the_plain_instruction() -> None:
    song = edited(task_type="cover", audio_cover_strength=0.4)
    assert song.cover_strength == 0.4
    assert "Fill the audio semantic mask" in song.plain_text
    assert song.text.partition("# Caption")[2] == song.plain_text.partition("# Caption")[2]


def test_lengths_are_frames_of_the_source_the_codes_or_the_request() -> None:
    assert brief(asked(1, duration=1.01), 600.0).frames == 26
    assert edited(task_type="extract").frames == 50
    assert "- duration: 2 seconds" in edited(task_type="extract").text
    assert edited(source=None, audio_code_string=write_codes((1, 2, 3))).frames == 15


def test_a_span_beyond_the_source_makes_it_longer_with_silence() -> None:
    song = edited(task_type="repaint", repainting_start=-1.0, repainting_end=3.0)
    assert (song.frames, song.span) == (100, (0, 100))
    assert not song.source.samples[:, :48_000].any()
    assert np.array_equal(song.source.samples[:, 48_000:144_000], SOURCE.samples)
    with pytest.raises(InputError, match=r"repainting_end: must keep the whole within 2\.5 seconds, got 3\.0 s"):
        brief(asked(1, editing=Editing(task_type="repaint", source=SOURCE, repainting_end=3.0)), 2.5)


@pytest.mark.parametrize(
    ("mode", "strength", "given", "expected"),
    [
        ("balanced", 0.5, {}, Repainting(0.5, 12, 0.025, spliced=True)),
        ("balanced", 0.2, {}, Repainting(0.8, 20, 0.04, spliced=True)),
        ("conservative", 0.9, {}, Repainting(1.0, 25, 0.05, spliced=True)),
        ("aggressive", 0.1, {}, Repainting(0.0, 0, 0.0, spliced=False)),
        (
            "balanced",
            0.5,
            {"repaint_latent_crossfade_frames": 3, "repaint_wav_crossfade_sec": 0.2},
            Repainting(0.5, 3, 0.2, spliced=True),
        ),
    ],
)
def test_modes_of_repainting_are_upstreams_numbers(
    mode: str, strength: float, given: dict[str, Any], expected: Repainting
) -> None:
    found = edited(task_type="repaint", repaint_mode=mode, repaint_strength=strength, **given).repainting
    assert found == Repainting(
        pytest.approx(expected.held),
        expected.crossfade_frames,
        pytest.approx(expected.crossfade_seconds),
        expected.spliced,
    )


@pytest.mark.parametrize("text", ["<|audio_code_64000|>", "1,2,3", "<|audio_code_1|> and more"])
def test_codes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="audio_code_string: must hold only"):
        edited(source=None, audio_code_string=text)


def test_what_a_task_needs_is_asked_for_by_name() -> None:
    with pytest.raises(InputError, match="src_audio_path: must name the source audio for cover"):
        edited(task_type="cover", source=None)
    with pytest.raises(InputError, match=r"src_audio_path: must last at least 0\.2 seconds, got 0\.10 s"):
        edited(task_type="cover", source=noise_clip(0.1))
    with pytest.raises(InputError, match="audio_code_string: must be empty with repaint"):
        edited(task_type="repaint", audio_code_string="<|audio_code_1|>")


def test_a_span_holds_one_frame_at_least() -> None:
    assert edited(task_type="repaint", repainting_start=1.0, repainting_end=1.01).span == (25, 26)
    assert edited(task_type="repaint", repainting_start=2.0, repainting_end=2.0).span == (49, 50)


def test_strengths_of_a_cover_are_a_cover_s_alone() -> None:
    for task, expected in (("cover", (0.3, 0.6)), ("cover-nofsq", (0.3, 0.6)), ("repaint", (1.0, 0.0))):
        song = edited(task_type=task, audio_cover_strength=0.3, cover_noise_strength=0.6)
        assert (song.cover_strength, song.noise_strength) == expected


def test_a_mono_source_becomes_stereo() -> None:
    mono = Clip(SOURCE.samples[:1])
    assert np.array_equal(edited(task_type="extract", source=mono).source.samples[1], SOURCE.samples[0])


@pytest.mark.parametrize(
    ("instruction", "mode", "caption"),
    [
        ("", "auto", "Global: a whole band\nLocal: a calm piano song\nMask Control: false"),
        ("", "explicit", "Global: a whole band\nLocal: a calm piano song\nMask Control: true"),
        ("Generate a segment of the DRUMS track", "explicit", "Local: a calm piano song\nMask Control: true"),
    ],
)
def test_a_model_trained_on_tracks_reads_both_captions(instruction: str, mode: str, caption: str) -> None:
    editing = Editing(
        task_type="lego", source=SOURCE, global_caption="a whole band", chunk_mask_mode=mode, instruction=instruction
    )
    request = asked(1, editing=editing)
    assert f"# Caption\n{caption}\n\n# Metas\n" in brief(request, 600.0, stems=True).text
    assert "# Caption\na calm piano song\n\n# Metas\n" in brief(request, 600.0).text
    assert unused(request, stems=True) == ()
    [said] = unused(request, stems=False)
    assert said.startswith("global_caption has no effect")
    assert unused(asked(1), stems=False) == ()


def test_a_reference_is_heard_in_ten_seconds_each_of_its_beginning_second_third_and_end() -> None:
    second = np.repeat(np.arange(45, dtype=np.float32) / 45, 48_000)
    heard = _excerpts(Clip(np.stack([second, second]))).numpy()
    assert heard.shape == (2, 30 * 48_000)
    assert [round(float(value) * 45) for value in heard[0, :: 10 * 48_000]] == [0, 15, 35]
    short = _excerpts(Clip(np.stack([second, second])[:, : 12 * 48_000])).numpy()
    assert [round(float(value) * 45) for value in short[1, :: 10 * 48_000]] == [0, 0, 2]
