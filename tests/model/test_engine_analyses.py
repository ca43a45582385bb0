"""What does the engine tell instead of a song, what may be asked of it, and what becomes of a plan?"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from generation import TURBO, Parts, asked, engine, made_of, noise_clip
from planner_parts import Counting, one_thread, planning_engine
from tiny import tiny

from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, Weights, _planned
from acestep_serverless.engines.acestep.finishing import PEAK, finish
from acestep_serverless.engines.acestep.tasks import brief
from acestep_serverless.engines.acestep.wishes import Plan
from acestep_serverless.engines.base import Editing, EngineLimits, Planning
from acestep_serverless.engines.extras import SongText
from acestep_serverless.errors import EngineError, InputError

__all__ = ["one_thread"]
pytestmark = pytest.mark.usefixtures("one_thread")

SOURCE = noise_clip(2.0)
REPAINT = Editing(task_type="repaint", source=SOURCE, repainting_start=0.5, repainting_end=1.5)


def test_words_are_planned_without_codes_even_where_thinking_is_on() -> None:
    made = Counting()
    request = asked(3, bpm=None, analysis="analysis_only", planning=Planning(thinking=True))
    [found] = made_of(planning_engine(made), request)
    assert made.thinking == [False]
    assert found.analysis is not None
    assert 30 <= found.analysis.bpm <= 300
    assert (found.analysis.key_scale, found.analysis.audio_codes) == ("C# minor", "")


@pytest.mark.parametrize("analysis", ["full_analysis_only", "extract_codes_only"])
def test_a_source_is_heard_and_its_absence_is_said(analysis: str) -> None:
    ready = planning_engine(Counting())
    [found] = made_of(ready, asked(1, editing=Editing(source=SOURCE), analysis=analysis))
    assert found.analysis.audio_codes.count("<|audio_code_") == 10
    assert bool(found.analysis.caption) == (analysis == "full_analysis_only")
    [absent] = made_of(ready, asked(1, analysis=analysis))
    assert isinstance(absent.failure, InputError)
    assert str(absent.failure).startswith(f"src_audio_path: must name the sound for {analysis}")


@pytest.mark.parametrize("together", [1, 8])
def test_the_limits_are_the_model_s_and_the_batch_is_what_fits(together: int) -> None:
    assert engine(together=together).limits == EngineLimits(1.0, 600.0, 8, 512, 4096, together)


def test_a_model_without_its_audio_tokenizer_says_which_tasks_need_it() -> None:
    parts = Parts(replace(tiny(TURBO), audio_tokenizer=None))
    ready = AceStepEngine(Weights((Offer(TURBO, guided=False),), lambda _name, _progress: parts))
    codes = Editing(audio_code_string="<|audio_code_1|><|audio_code_2|><|audio_code_3|>")
    for editing in (Editing(task_type="cover", source=SOURCE), codes):
        [made] = made_of(ready, asked(1, duration=0.5, editing=editing))
        assert isinstance(made.failure, EngineError)
        assert "was converted without its audio tokenizer" in str(made.failure)
    assert made_of(ready, asked(1, duration=0.5))[0].song is not None


def test_a_plan_becomes_the_request_in_every_word() -> None:
    text = SongText("a caption", "la la", 77, 4.0, "A minor", "3", "no")
    request = _planned(asked(1, bpm=None, vocal_language="unknown"), Plan(text, (5, 6)))
    assert (request.caption, request.lyrics, request.bpm, request.duration) == ("a caption", "la la", 77, 4.0)
    assert (request.key_scale, request.time_signature, request.vocal_language) == ("A minor", "3", "no")
    assert request.editing.audio_code_string == "<|audio_code_5|><|audio_code_6|>"
    assert _planned(asked(1, duration=3.0), Plan(replace(text, duration=None))).duration == 3.0


def test_silence_stays_silence_and_a_splice_beyond_full_scale_is_scaled_down() -> None:
    whole = brief(asked(1, duration=2.0), 600.0)
    assert not finish(torch.zeros(2, 96_000), whole).samples.any()
    assert np.abs(finish(torch.full((2, 96_000), 3.0), whole).samples).max() == pytest.approx(PEAK)
    spliced = finish(torch.full((2, 96_000), 3.0), brief(asked(1, editing=REPAINT), 600.0)).samples
    assert spliced[0, 48_000] == pytest.approx(1.0)
    assert np.array_equal(spliced[:, :12_000], SOURCE.samples[:, :12_000])
    free = replace(REPAINT, repaint_mode="aggressive")
    assert finish(torch.full((2, 96_000), 3.0), brief(asked(1, editing=free), 600.0)).samples[0, 0] == pytest.approx(
        PEAK
    )
