"""What every test of the model shares: two threads for torch, and no noise from libraries' own deprecations."""

import os
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch and diffusers warn of their own deprecated parts while they load
    import diffusers  # noqa: F401 - loaded here once, in peace
    import torch
    import transformers  # noqa: F401

torch.set_num_threads(2)
