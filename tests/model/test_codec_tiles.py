"""Can a seam be heard? Tiled encoding and decoding against untiled, and the folded codec against diffusers' own."""

import pytest
import torch
from generation import TURBO, model, noise_clip
from tiny import tiny

from acestep_serverless.engines.acestep import codec as codec_module
from acestep_serverless.engines.acestep import decoder as decoder_module
from acestep_serverless.engines.acestep.codec import Codec, decoder_halo, encoder_halo, fold
from acestep_serverless.engines.acestep.decoder import FastDecoder

EXACT = 2e-6
"""Rounding alone: full scale of the tiny codec's samples is about 1."""

RATIOS = [2, 4, 4, 6, 10]


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "_FRAMES_IN_A_TILE", {"cpu": 8})
    monkeypatch.setattr(Codec, "_side_by_side", lambda _self, _weight: 3)
    monkeypatch.setattr(decoder_module, "_CHUNK", 2**8)  # so that each stage of the decoder is cut as well


def latents(frames: int) -> torch.Tensor:
    return torch.randn(frames, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("frames", [1, 8, 9, 61])
def test_tiles_join_to_the_untiled_song(frames: int) -> None:
    codec, given, shares = Codec(model(TURBO).vae), latents(frames), list[float]()
    with torch.inference_mode():
        whole = codec.decode(given, lambda _: None, tiled=False)
        tiled = codec.decode(given, shares.append)
    assert tiled.shape == (2, frames * 1920)
    assert (tiled - whole).abs().max() < EXACT
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.usefixtures("small_tiles")
def test_a_tile_with_a_smaller_halo_would_have_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, given = Codec(model(TURBO).vae), latents(40)
    with torch.inference_mode():
        whole = codec.decode(given, lambda _: None, tiled=False)
        codec._decoder_halo = 2
        assert (codec.decode(given, lambda _: None) - whole).abs().max() > EXACT


@pytest.mark.usefixtures("small_tiles")
def test_sound_is_encoded_in_tiles_as_in_one_piece() -> None:
    codec, samples = Codec(model(TURBO).vae), torch.from_numpy(noise_clip(1.0, extra=1_111).samples)
    with torch.inference_mode():
        tiled = codec.encode(samples)
        whole = model(TURBO).vae.encode(samples[None]).latent_dist
    assert tiled.mean.shape == (25, 8)
    assert (tiled.mean - whole.mean[0].T).abs().max() < EXACT
    assert (tiled.deviation - whole.std[0].T).abs().max() < EXACT


def test_the_decoder_of_the_cpu_is_diffusers_own() -> None:
    made, given, pauses = tiny(TURBO, seed=4), latents(200).T[None], list[int]()
    with torch.inference_mode():
        fold(made.vae)
        ours = FastDecoder(made.vae.decoder)(given, lambda: pauses.append(1))
        assert (ours - made.vae.decoder(given)).abs().max() < EXACT
    assert len(pauses) >= len(RATIOS)


def test_weights_that_were_moved_or_changed_are_the_ones_that_decode() -> None:
    made, given = tiny(TURBO, seed=5), latents(12)
    codec = Codec(made.vae)
    with torch.inference_mode():
        before = codec.decode(given, lambda _: None)
        for parameter in made.vae.parameters():
            parameter.data = parameter.data * 0.9  # elsewhere in memory, as after a stay on another device
        after = codec.decode(given, lambda _: None)
        assert (after - made.vae.decoder(given.T[None])[0]).abs().max() < EXACT
    assert (after - before).abs().max() > 100 * EXACT


def test_folding_the_weight_norm_changes_rounding_only() -> None:
    made, given = tiny(TURBO, seed=3), latents(12)
    with torch.inference_mode():
        before = made.vae.decode(given.T[None]).sample[0]
        after = Codec(made.vae).decode(given, lambda _: None)
    assert not [name for name, _ in made.vae.named_parameters() if name.endswith("weight_g")]
    assert (after - before).abs().max() < EXACT


def test_the_halos_are_those_of_the_real_codec() -> None:
    assert (decoder_halo(RATIOS), encoder_halo(RATIOS)) == (11, 9)
