"""Where does guidance push? Geometry that can be worked out by hand."""

import math

import pytest
import torch

from acestep_serverless.engines.acestep.guidance import MOMENTUM, THRESHOLD, Projected, by_angle


def drawn(seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(2, 30, 4, generator=torch.Generator().manual_seed(seed))


def test_projected_guidance_pushes_across_the_prompted_prediction_and_not_too_far() -> None:
    prompted, free = drawn(1), drawn(2, 10.0)
    push = Projected()(prompted, free, 4.0) - prompted
    assert (push * prompted).sum(dim=1).abs().max() < 1e-4
    assert push.norm(dim=1).max() <= 3.0 * THRESHOLD + 1e-4
    assert push.norm(dim=1).min() > 1.0


def test_projected_guidance_remembers_with_its_momentum_and_forgets_who_left() -> None:
    prompted, free = drawn(1, 0.01), drawn(2, 0.01)
    guide = Projected()
    guide(prompted, free, 2.0)
    guide.keep(torch.tensor([1]), 20)
    guide(prompted[1:, :20], free[1:, :20], 2.0)
    expected = (1.0 + MOMENTUM) * (prompted - free)[1:, :20]
    assert (guide.average - expected).abs().max() < 1e-7


@pytest.mark.parametrize(("apart", "expected"), [(10.0, 19.57), (60.0, 70.89)])
def test_guidance_by_angle_turns_further_from_the_free_signal_at_most_by_thirty_degrees(
    apart: float, expected: float
) -> None:
    level, latents = 0.5, torch.zeros(1, 1, 2)
    radians = math.radians(apart)
    free = torch.tensor([[[-1.0, 0.0]]]) / level
    prompted = torch.tensor([[[-math.cos(radians), -math.sin(radians)]]]) / level
    clean = -level * by_angle(latents, prompted, free, level, 2.0)[0, 0]
    turned = math.degrees(math.atan2(float(clean[1]), float(clean[0])))
    assert turned == pytest.approx(expected, abs=0.2)


def test_guidance_by_angle_of_scale_one_is_the_prompted_prediction() -> None:
    latents, prompted, free = drawn(3), drawn(1), drawn(2)
    assert (by_angle(latents, prompted, free, 0.7, 1.0) - prompted).abs().max() < 0.02
