"""How does a part of the model come to the GPU and leave it again? As copies: its own numbers stay in main memory.

Work changes none of them, so nothing is copied back: half of the way is saved, and main memory is not asked for anew.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def visiting(modules: Sequence[Any], device: str) -> Iterator[None]:
    """Have modules of torch on `device` meanwhile, and where they were before afterwards.

    That holds as well when memory runs out on the way over, with torch's own error.
    """
    kept = [_numbers(owner) for module in modules for owner in module.modules()]
    try:
        for module in modules:
            module.to(device)
        yield
    finally:
        for owner, parameters, buffers in kept:
            for name, (parameter, numbers) in parameters.items():
                parameter.data = numbers
                owner._parameters[name] = parameter  # torch puts another in its place where types do not fit
            owner._buffers.update(buffers)


def _numbers(owner: Any) -> tuple[Any, dict[str, tuple[Any, Any]], dict[str, Any]]:
    """A module with its own parameters, their numbers, and its buffers."""
    parameters = {name: (one, one.data) for name, one in owner._parameters.items() if one is not None}
    return owner, parameters, dict(owner._buffers)
