"""What every test of the model shares: one thread for torch, since tiny shapes gain nothing from two, and no noise
from libraries' own deprecations."""

import os
import warnings

os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # nobody is there: no test asks the real hub by mistake
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch and diffusers warn of their own deprecated parts while they load
    import diffusers  # noqa: F401 - loaded here once, in peace
    import torch
    import transformers  # noqa: F401

torch.set_num_threads(1)
