"""Does the measurement of speed count the real work, and put every stage in its line of JSON?"""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from generation import BASE, TURBO, Parts
from test_loading import ON_CPU
from tiny import tiny
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3Config, Qwen3ForCausalLM

from acestep_serverless.engines.acestep.eight_bits import EightBitLinear
from acestep_serverless.engines.acestep.randomness import random_planner
from acestep_serverless.engines.acestep.speed import (
    PLANNER_SIZES,
    as_json,
    clockwork,
    measure,
    rehearsed,
    row,
    whole,
)
from acestep_serverless.engines.acestep.work import decoder_work, step_work
from acestep_serverless.errors import SettingsError


def counted(work: object) -> int:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        work()
    return counter.get_total_flops()


def test_the_decoders_work_is_what_its_convolutions_do() -> None:
    decoder = tiny(TURBO).vae.decoder
    assert decoder_work(decoder, 7) == pytest.approx(counted(lambda: decoder(torch.zeros(1, 8, 7))), rel=0.02)


def test_the_transformers_work_is_its_products_and_what_tokens_look_at() -> None:
    made, frames, words = tiny(BASE).transformer, 24, 9
    arguments = {
        "hidden_states": torch.zeros(1, frames, 8),
        "context_latents": torch.zeros(1, frames, 16),
        "timestep": torch.zeros(1),
        "timestep_r": torch.zeros(1),
    }
    looking = [counted(lambda n=n: made(encoder_hidden_states=torch.zeros(1, n, 32), **arguments)) for n in (0, words)]
    per_word = step_work(made, frames, words) - step_work(made, frames, 0)
    keys = 2 * 2 * words * 32 * 16 * 2 + 2 * words * 32 * 32  # keys and values of two layers, and their projection
    attention = 4 * 12 * words * 2 * 32
    assert per_word == attention
    assert looking[1] - looking[0] in (keys, keys + attention)  # some versions of torch do not count attention


def test_every_stage_is_measured_beside_the_pipeline() -> None:
    ticks = itertools.count()
    parts = Parts(tiny(TURBO))
    parts.placement = Here()
    rate, runs = measure(parts, [1.0], [1, 2], clockwork(lambda: next(ticks) * 0.5, "cpu"), plain=True)
    assert rate == 2.0 * 2048**3 / 0.5
    line = json.loads(json.dumps(as_json(runs, parts.placement, rate)))
    assert [(run["duration"], run["batch"]) for run in line["runs"]] == [(1.0, 1), (1.0, 2)]
    assert line["runs"][0]["seconds"] == {"text": 0.5, "dit": 0.5, "codec": 0.5, "encode": 0.5, "planner": None}
    assert line["runs"][0]["ratio"] == pytest.approx(0.5 / 1.5)
    assert row(runs[1])[:2] == ("1", "2")
    assert not [name for name, _ in parts.vae.named_parameters() if name.endswith("weight_g")]


def test_a_gpu_s_work_is_done_once_before_it_is_timed_and_its_own_clock_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", done.append)
    ticks = itertools.count()
    clock = clockwork(lambda: next(ticks) * 0.5, "cuda:1")
    assert clock.timed(lambda: done.append("work")) == (0.5, None)
    assert done == ["work", "cuda:1", "work", "cuda:1"]


SMALL = {
    "vocab_size": 576,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
}


def test_the_planner_writes_all_codes_of_a_batch_and_its_products_are_counted() -> None:
    rehearsal = random_planner("tiny", Here(), dict(SMALL))
    [plans] = rehearsal.planner.plan([rehearsal.party("a song", "[Verse]\nla", 2.0, 3)])
    assert [len(plan.codes) for plan in plans] == [10, 10, 10]
    model = Qwen3ForCausalLM(Qwen3Config(**SMALL))
    layers = sum(one.numel() for one in model.model.layers.parameters() if one.ndim == 2)
    products = 2 * 3 * 2 * 10 * (layers + 64 * 32)  # a product and a sum, songs, rows of each, codes
    assert rehearsal.work(2.0, 3) == pytest.approx(products, rel=0.02)


def test_planning_is_a_stage_of_its_own_beside_the_comparison() -> None:
    ticks = itertools.count()
    parts = Parts(tiny(TURBO))
    parts.placement = Here()
    rehearsal = random_planner("tiny", Here(), dict(SMALL))
    clock = clockwork(lambda: next(ticks) * 0.5, "cpu")
    rate, [run] = measure(parts, [1.0], [2], clock, plain=True, rehearsal=rehearsal)
    assert (run.seconds.planner, run.total) == (0.5, 1.5)
    assert run.ratio == pytest.approx(0.5 / 1.5)
    assert run.planner_fraction == pytest.approx(rehearsal.work(1.0, 2) / 0.5 / rate)
    assert as_json([run], parts.placement, rate, rehearsal)["planner"] == "tiny"
    assert row(run)[2] == "0.50"


def test_in_eight_bits_the_distance_to_the_exact_song_is_told_as_well() -> None:
    parts = Parts(tiny(TURBO))
    parts.placement = Here()
    parts.placement.eight_bits = True
    clock = clockwork(itertools.count().__next__, "cpu")
    rate, [run] = measure(parts, [1.0], [1], clock, plain=False)
    assert isinstance(parts.transformer.layers[0].mlp.gate_proj, EightBitLinear)
    assert run.error is not None
    assert 1e-4 < run.error < 0.05
    line = as_json([run], parts.placement, rate)
    assert (line["int8"], line["runs"][0]["error"]) == (True, run.error)


def test_a_model_that_comes_in_parts_is_not_measured() -> None:
    here = replace(ON_CPU, device="cuda:0")
    assert whole("turbo", here) is here
    with pytest.raises(SettingsError, match=r"shape: xl-base does not fit whole on cuda:0; choose a smaller one"):
        whole("xl-base", replace(here, offload="parts"))


def test_the_planner_s_shape_is_one_of_the_published() -> None:
    assert set(PLANNER_SIZES) == {"0.6B", "1.7B", "4B"}
    assert rehearsed("none", Here()) is None
    with pytest.raises(SettingsError, match=r"planner: must be one of 0\.6B, 1\.7B, 4B or none, got '9B'"):
        rehearsed("9B", Here())


class Here:
    """Where the tiny model computes."""

    device, dtype, codec_dtype, offload, compile, codec_frames = "cpu", "float32", "float32", "none", False, 512
    eight_bits = False
