"""How loud is a song handed over? As upstream does it: its highest sample at -1 dBFS, and no other change.

The model has mixed and mastered what it makes; a limiter on top would change its sound. A repainted song keeps its
source's level instead, so that what was not repainted is the source, sample for sample; new sound beyond full scale
is scaled down to it.
"""

import numpy as np
import torch

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.engines.acestep.denoising import span_share
from acestep_serverless.engines.acestep.tasks import SAMPLES_PER_FRAME, Brief

PEAK = 10.0 ** (-1.0 / 20.0)
"""The highest sample of a finished song (-1 dBFS)."""

_SILENT = 1e-6


def finish(samples: torch.Tensor, brief: Brief) -> Clip:
    """Make a clip of decoded samples, float32 `[2, samples]` on the CPU."""
    peak = samples.abs().amax()
    if brief.repainting is not None and brief.repainting.spliced and brief.source is not None:
        return Clip(np.ascontiguousarray(_spliced(samples / peak.clamp(min=1.0), brief).numpy()))
    return Clip(np.ascontiguousarray((samples * (PEAK / peak.clamp(min=_SILENT))).numpy()))


def _spliced(samples: torch.Tensor, brief: Brief) -> torch.Tensor:
    """The source outside the repainted span, the new sound within, and a short crossfade outside its edges."""
    assert brief.source is not None
    assert brief.repainting is not None
    assert brief.span is not None
    total = samples.shape[1]
    span = (brief.span[0] * SAMPLES_PER_FRAME, brief.span[1] * SAMPLES_PER_FRAME)
    share = span_share(total, span, int(brief.repainting.crossfade_seconds * SAMPLE_RATE))
    return share * samples + (1.0 - share) * torch.from_numpy(brief.source.samples)[:, :total]
