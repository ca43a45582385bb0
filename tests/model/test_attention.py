"""Does attention in blocks see exactly its window, and a whole pass what diffusers' transformer sees?"""

from functools import partial

import pytest
import torch
from generation import BASE, model

from acestep_serverless.engines.acestep.attention import attend, attend_near
from acestep_serverless.engines.acestep.velocity import Velocity

WINDOW = 16


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def dense(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Attention written out: every head has its own copy of keys and values, what is not allowed weighs nothing."""
    keys, values = (part.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1) for part in (keys, values))
    scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5
    return scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1) @ values


@pytest.mark.parametrize("tokens", [7, 48, 49, 64, 131])
@pytest.mark.parametrize("ragged", [False, True])
def test_a_window_is_seen_whole_and_nothing_beyond_it(tokens: int, ragged: bool) -> None:
    queries, keys, values = drawn(2, 4, tokens, 8), drawn(2, 2, tokens, 8, seed=1), drawn(2, 2, tokens, 8, seed=2)
    ends = torch.tensor([tokens, tokens - 5 if ragged else tokens])
    sounding = torch.arange(tokens)[None] < ends[:, None]
    place = torch.arange(tokens)
    near = ((place[:, None] - place[None]).abs() <= WINDOW)[None, None]
    expected = dense(queries, keys, values, near & (sounding[:, None, :, None] == sounding[:, None, None]))
    found = attend_near(queries, keys, values, WINDOW, sounding if ragged else None)
    assert found.shape == expected.shape
    assert (found - expected)[sounding[:, None].expand(2, 4, tokens)].abs().max() < 1e-5


def test_a_song_sees_its_own_words_only() -> None:
    queries, keys, values = drawn(2, 4, 9, 8), drawn(2, 2, 6, 8, seed=1), drawn(2, 2, 6, 8, seed=2)
    own = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])[:, None, None]
    found = attend(queries, keys, values, own)
    assert (found - dense(queries, keys, values, own)).abs().max() < 1e-5


@pytest.mark.parametrize("frames", [20, 75, 201])
def test_a_pass_over_one_song_is_diffusers_own(frames: int) -> None:
    transformer = model(BASE).transformer
    latents, context, states = drawn(2, frames, 8), drawn(2, frames, 16, seed=1), drawn(2, 11, 32, seed=2)
    level = torch.full((2,), 0.7)
    velocity = Velocity(transformer)
    with torch.inference_mode():
        expected = transformer(
            hidden_states=latents,
            timestep=level,
            timestep_r=level,
            encoder_hidden_states=states,
            context_latents=context,
            return_dict=False,
        )[0]
        words, [moment] = velocity.hear(list(states)), velocity.moments([0.7])
        found = velocity(latents, context, [frames, frames], moment, words)
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("frames", [74, 75])
def test_no_layer_is_given_tokens_in_a_turned_layout(frames: int) -> None:
    """On one every product copies its weights first, which takes as long as the product itself."""
    transformer, seen = model(BASE).transformer, []
    watched = [part for layer in transformer.layers for part in (layer.self_attn.to_q, layer.mlp.gate_proj)]
    hooks = [part.register_forward_pre_hook(lambda _, given: seen.append(given[0].is_contiguous())) for part in watched]
    velocity = Velocity(transformer)
    with torch.inference_mode():
        words, [moment] = velocity.hear([drawn(9, 32)]), velocity.moments([0.5])
        velocity(drawn(1, frames, 8), drawn(1, frames, 16, seed=1), [frames], moment, words)
    for hook in hooks:
        hook.remove()
    assert seen == [True] * len(watched)


def test_a_compiled_pass_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Traced but not translated into machine code, which takes a minute; that part is torch's own.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    plain, compiled = Velocity(model(BASE).transformer), Velocity(model(BASE).transformer, compiled=True)
    with torch.inference_mode():
        words, [moment] = plain.hear([drawn(9, 32)]), plain.moments([0.5])
        for frames in (30, 36):
            latents, context = drawn(1, frames, 8), drawn(1, frames, 16, seed=1)
            expected = plain(latents, context, [frames], moment, words)
            assert (compiled(latents, context, [frames], moment, words) - expected).abs().max() < 1e-5


def test_a_shorter_song_of_a_batch_is_moved_as_if_it_were_alone() -> None:
    velocity, frames, words = Velocity(model(BASE).transformer), (201, 150), (11, 6)
    latents, context = drawn(2, 201, 8), drawn(2, 201, 16, seed=1)
    latents[1, 150:], context[1, 150:] = 0.0, 0.0
    states = [drawn(count, 32, seed=count) for count in words]
    with torch.inference_mode():
        [moment] = velocity.moments([0.4])
        both = velocity(latents, context, frames, moment, velocity.hear(states))
        alone = velocity(latents[1:, :150], context[1:, :150], [150], moment, velocity.hear(states[1:]))
    assert (both[1, :150] - alone[0]).abs().max() < 1e-5
    assert not both[1, 150:].any()
