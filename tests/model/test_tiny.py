"""Are the tiny components the real ones? Diffusers' own pipeline makes sound of them, and they survive the disk."""

from pathlib import Path

import torch
from diffusers import AceStepPipeline
from tiny import tiny, tiny_planner
from transformers import AutoTokenizer


def _song(pipeline: AceStepPipeline) -> torch.Tensor:
    return pipeline(
        prompt="a calm piano song",
        lyrics="[Verse]\nStay",
        audio_duration=1.0,
        num_inference_steps=2,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(3),
    ).audios


def test_diffusers_makes_the_same_sound_before_and_after_the_disk(tmp_path: Path) -> None:
    made = tiny()
    song = _song(made.pipeline())
    assert song.shape == (1, 2, 48_000)
    assert song.abs().max() > 0.1
    read = AceStepPipeline.from_pretrained(made.save_diffusers(tmp_path))
    read.set_progress_bar_config(disable=True)
    # Not bit for bit: weights from a mapped file lie at other addresses, so sums are grouped otherwise.
    torch.testing.assert_close(_song(read), song, atol=1e-5, rtol=0)


def test_a_tokenizer_from_the_disk_reads_audio_codes_as_one_token_each(tmp_path: Path) -> None:
    planner = tiny_planner(codes=100)
    read = AutoTokenizer.from_pretrained(planner.save(tmp_path))
    codes = read("<|audio_code_3|><|audio_code_99|>").input_ids
    assert read.convert_ids_to_tokens(codes) == ["<|audio_code_3|>", "<|audio_code_99|>"]
    text = "# Caption\nhé <think>bpm: 96</think><|im_end|>\n"
    assert read.decode(read(text).input_ids) == text
