"""How do weights get from files into modules? Headers first, then tensor by tensor, each straight to its device.

Modules are built without memory (torch's `meta`), so that a model never exists twice. Before the first weight is read,
every name and shape of the files is held against the modules; what does not fit is said with its names. Only
safetensors files are read: nothing in them is executed.
"""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from acestep_serverless.errors import EngineUnavailable

Where = Callable[[str], tuple[str, str] | None]
"""From a stored name to a part and a name in it; None for a tensor that nothing here has a use for."""

NAMED = 5
"""How many tensors of one trouble are named; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files of weights, and what their names mean here."""

    files: tuple[Path, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor in a file, by its header: where it is, where it goes, its shape, and how many bytes it has."""

    file: Path
    stored_name: str
    part: str
    name: str
    shape: tuple[int, ...]
    size: int


_SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}


def headers(sources: Sequence[Source]) -> list[Stored]:
    """Read the headers of all files; tensors without a place are left out. Raises EngineUnavailable naming the file."""
    return [stored for source in sources for file in source.files for stored in _header(file, source.where)]


def _header(file: Path, where: Where) -> Iterator[Stored]:
    with _opened(file) as tensors:
        for stored_name in tensors.keys():  # noqa: SIM118 - the file is no mapping, it only has this method
            placed = where(stored_name)
            if placed is not None:
                view = tensors.get_slice(stored_name)
                shape = tuple(view.get_shape())
                size = _SIZES.get(view.get_dtype(), 1) * torch.Size(shape).numel()
                yield Stored(file, stored_name, *placed, shape, size)


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:  # the file is mapped, which takes room as well
            raise MemoryError(str(error)) from None
        raise EngineUnavailable(f"{file}: not a whole safetensors file ({error})") from None


def expected(modules: Mapping[str, Any]) -> dict[tuple[str, str], tuple[int, ...]]:
    """Give the shape of each tensor that the modules keep; an output tied to its embeddings is not one of them."""
    return {
        (part, name): tuple(tensor.shape)
        for part, module in modules.items()
        for name, tensor in module.state_dict().items()
        if not (name == "lm_head.weight" and _is_tied(module))
    }


def _is_tied(module: Any) -> bool:
    return bool(getattr(module.config, "tie_word_embeddings", False))


def troubles(stored: Sequence[Stored], wanted: Mapping[tuple[str, str], tuple[int, ...]]) -> list[str]:
    """Hold names and shapes against each other: a sentence for each kind of trouble in a part, naming the tensors."""
    here = {(one.part, one.name): one for one in stored}
    found: dict[tuple[str, str], list[str]] = {}
    for part, name in wanted:
        if (part, name) not in here:
            found.setdefault((part, "missing"), []).append(name)
    for (part, name), one in here.items():
        if (part, name) not in wanted:
            found.setdefault((part, "unknown"), []).append(one.stored_name)
        elif one.shape != wanted[part, name]:
            right = list(wanted[part, name])
            found.setdefault((part, "of another shape"), []).append(f"{name} {list(one.shape)} instead of {right}")
    return [f"{part}: {len(names)} {trouble}: {_some(names)}" for (part, trouble), names in found.items()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def fill(
    modules: Mapping[str, Any],
    stored: Sequence[Stored],
    target: Callable[[str], tuple[str, torch.dtype]],
    passed: Callable[[int, str], None],
) -> None:
    """Read every tensor to the device and type that `target` gives its part; `passed` hears bytes and part.

    Each is copied out of its file: a mapped one would read the disk in the first song, and break if the file changed.
    What a lack of memory raises is torch's own: who placed the weights knows what would fit (`room`).
    """
    filled: dict[str, dict[str, torch.Tensor]] = {part: {} for part in modules}
    for file in dict.fromkeys(one.file for one in stored):
        with _opened(file) as tensors:
            for one in stored:
                if one.file == file:
                    filled[one.part][one.name] = _moved(tensors.get_tensor(one.stored_name), *target(one.part))
                    passed(one.size, one.part)
    for part, module in modules.items():
        module.load_state_dict(filled.pop(part), strict=False, assign=True)
        if _is_tied(module):
            module.tie_weights()
        # What is computed and not stored (frequencies of positions, levels of the quantizer) goes along.
        module.to(target(part)[0]).eval().requires_grad_(False)


def _moved(tensor: torch.Tensor, device: str, dtype: torch.dtype) -> torch.Tensor:
    kind = dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device=device, dtype=kind, copy=True)
