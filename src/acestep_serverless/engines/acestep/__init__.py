"""The real model: ACE-Step 1.5 on PyTorch. From weights on disk to songs, on a GPU or a CPU.

Only `shapes`, `layouts`, `search` and `placement` can be imported without the extra [acestep]; they read no weights.
"""
