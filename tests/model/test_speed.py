"""Does the measurement of speed count the real work, and put every stage in its line of JSON?"""

import itertools
import json

import pytest
import torch
from generation import BASE, TURBO, Parts
from tiny import tiny
from torch.utils.flop_counter import FlopCounterMode

from acestep_serverless.engines.acestep.speed import as_json, clockwork, decoder_work, measure, row, step_work


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


class Here:
    """Where the tiny model computes."""

    device, dtype, codec_dtype, offload, compile, codec_frames = "cpu", "float32", "float32", "none", False, 512
