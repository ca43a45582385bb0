"""What would break on another device than the CPU? A pretended one, whose tensors hold their real numbers here.

Torch's device `meta` stands in for a GPU: a `Remote` tensor says that it is there and keeps its numbers in main memory,
so whole generations run, with the results of the CPU. Meanwhile the rules of CUDA hold: tensors of both sides never
meet in an operation (numbers without dimensions and indices may, as there), generators belong to one side, and each
moment in which a GPU would have to catch up with the CPU (a copy across, a number read out, a size that depends on
data) is noted with the functions of ours that asked for it.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import acestep_serverless

AWAY = "meta"
"""The pretended device's name, for `to`, factories and placements."""

_OURS = str(Path(acestep_serverless.__file__).parent)
_ATEN = torch.ops.aten
_CROSSINGS = (_ATEN._to_copy, _ATEN.copy_, _ATEN._copy_from)
_INDEXED = (_ATEN.index, _ATEN.index_put_, _ATEN.index_put, _ATEN._unsafe_index, _ATEN._index_put_impl_)
_READING = (
    _ATEN._local_scalar_dense,
    _ATEN.is_nonzero,
    _ATEN.equal,
    _ATEN.nonzero,
    _ATEN.masked_select,
    _ATEN._unique2,
)


class Mixed(RuntimeError):
    """Tensors of both devices met in one operation, or a generator and a tensor of different ones did."""


class Remote(torch.Tensor):
    """A tensor on the pretended device; `here` are its numbers."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "Remote":
        """Wrap numbers of main memory."""
        with torch.inference_mode(False):  # a view of a tensor from before inference mode is one of its kind
            made: Remote = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined] # it has no stub
                cls,
                here.size(),
                strides=here.stride(),
                storage_offset=here.storage_offset(),
                dtype=here.dtype,
                device=AWAY,
            )
        made.here = here
        return made

    @property
    def data(self) -> torch.Tensor:
        """The same numbers; giving others replaces them."""
        return self.detach()

    @data.setter
    def data(self, other: torch.Tensor) -> None:
        if not isinstance(other, Remote) or other.shape != self.shape:
            raise Mixed("a tensor's numbers were replaced by those of another device")
        self.here = other.here

    def tolist(self) -> Any:
        """Read all numbers out, as a GPU's tensor does: by a copy."""
        return self.cpu().tolist()

    def __getitem__(self, places: Any) -> Any:
        """Look up; places in a list are copied to the device first, as for a GPU's tensor."""
        return super().__getitem__(torch.tensor(places, device=AWAY) if isinstance(places, list) else places)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Work only while the device is pretended."""
        raise Mixed(f"{func} was asked for outside of the pretended device")


@dataclass(frozen=True)
class Wait:
    """A moment in which a GPU and the CPU wait for each other: what happened, in which line, and the functions of ours
    that asked for it as `file.function`, innermost first."""

    kind: str
    line: int
    callers: tuple[str, ...]

    def within(self, function: str) -> bool:
        """Tell whether `file.function` asked for it."""
        return function in self.callers


@dataclass
class Device(TorchDispatchMode):
    """The pretended device. Enter it with `pretended`; `waits` are noted, and the types of all its tensors."""

    waits: list[Wait] = field(default_factory=list)
    types: set[tuple[torch.dtype, str]] = field(default_factory=set)
    generators: dict[int, torch.Generator] = field(default_factory=dict)
    """Those of the pretended device, by their address."""

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation where its tensors are."""
        kwargs = dict(kwargs or {})
        if func._can_decompose():  # what torch builds of other operations, as inference mode hands it over whole
            with self:
                return func.decompose(*args, **kwargs)
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        wanted = kwargs.get("device")
        away = any(isinstance(one, Remote) for one in given)
        packet = func.overloadpacket
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
            lands = torch.device(wanted).type == AWAY
        else:
            lands = isinstance(args[0], Remote) if packet is _ATEN.copy_ else away
        if packet in _CROSSINGS:
            self._cross(given, lands, kwargs.get("non_blocking", False) or (len(args) > 2 and args[2]))
        else:
            self._check(func, args, given, kwargs.get("generator"), lands)
        if away and packet in _READING:
            self._note(f"{packet.__name__} is read")
        found = func(*tree_map(_here, args), **tree_map(_here, kwargs))
        return self._wrapped(func, found, given) if lands else found

    def _cross(self, given: Sequence[torch.Tensor], lands: bool, asynchronous: bool) -> None:
        source = given[-1]
        if isinstance(source, Remote) != lands and not (lands and asynchronous and source.numel()):
            self._note(f"{list(source.shape)} {'to' if lands else 'from'} the device")

    def _check(self, func: Any, args: Any, given: Sequence[torch.Tensor], generator: Any, lands: bool) -> None:
        """Refuse what CUDA refuses."""
        if generator is not None and (generator._cdata in self.generators) != lands:
            raise Mixed(f"{func}: the generator and the tensor are on different devices")
        plain = [one for one in given if not isinstance(one, Remote) and (one.ndim or one.device.type == AWAY)]
        if len(given) == len([one for one in given if not isinstance(one, Remote)]):
            return
        if func.overloadpacket in _INDEXED and isinstance(args[0], Remote):
            flags = [one for one in tree_leaves(args[1]) if isinstance(one, torch.Tensor)]
            for one in flags:
                if one.dtype in (torch.bool, torch.uint8) or not isinstance(one, Remote):
                    self._note("an index is read" if isinstance(one, Remote) else "an index to the device")
            plain = [one for one in plain if all(one is not flag for flag in flags)]
        if plain:
            sides = [(list(one.shape), one.device.type) for one in given]
            raise Mixed(f"{func}: tensors of both devices meet: {sides}")

    def _wrapped(self, func: Any, found: Any, given: Sequence[torch.Tensor]) -> Any:
        known = {id(one.here): one for one in given if isinstance(one, Remote)}

        def wrap(one: Any) -> Any:
            if not isinstance(one, torch.Tensor):
                return one
            before = known.get(id(one))
            if before is not None and before.size() != one.size():
                raise NotImplementedError(f"{func} changes a shape in place")
            self.types.add((one.dtype, func.overloadpacket.__name__))
            return before if before is not None else Remote(one)

        return tree_map(wrap, found)

    def _note(self, kind: str) -> None:
        frame: FrameType | None = sys._getframe(1)
        asking = []
        while frame is not None:
            if frame.f_code.co_filename.startswith(_OURS):
                asking.append((f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}", frame.f_lineno))
            frame = frame.f_back
        self.waits.append(Wait(kind, asking[0][1] if asking else 0, tuple(name for name, _ in asking)))


def _here(one: Any) -> Any:
    return one.here if isinstance(one, Remote) else one


@contextmanager
def pretended() -> Iterator[Device]:
    """Pretend the device meanwhile. Generators and `torch.tensor`, which no mode sees, are stood in for."""
    kinds, tensor, converted = torch.Generator, torch.tensor, torch.__future__
    before = converted.get_overwrite_module_params_on_conversion()

    def generator(device: Any = "cpu") -> torch.Generator:
        made_here = kinds()
        if torch.device(device).type == AWAY:
            pretender.generators[made_here._cdata] = made_here
        return made_here

    def made(data: Any, *, device: Any = None, **rest: Any) -> torch.Tensor:
        return tensor(data, **rest) if device is None else tensor(data, **rest).to(device)

    converted.set_overwrite_module_params_on_conversion(True)  # a module's tensors are of another class there
    torch.Generator, torch.tensor = generator, made  # type: ignore[misc, assignment] # names of torch, for a while
    pretender = Device()
    try:
        with pretender:
            yield pretender
    finally:
        torch.Generator, torch.tensor = kinds, tensor  # type: ignore[misc, assignment]
        converted.set_overwrite_module_params_on_conversion(before)
