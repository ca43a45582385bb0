"""How does the model wear adapters (LoRA)? They are read and checked when loaded, and put on before a batch starts.

Files come from diffusers (`transformer.layers...`) or from the upstream project's training (a PEFT folder with
`q_proj` names); both are safetensors, nothing is unpickled. The shelf may change from any thread; what a batch wears
is settled once, by the thread that makes it. Another model leaves the shelf as it is: what fits that one it wears, the
rest waits for a model that it fits.
"""

import json
import math
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import AceStepLoraLoaderMixin
from safetensors import SafetensorError
from safetensors.torch import load_file

from acestep_serverless.engines.extras import Adapter
from acestep_serverless.errors import EngineError, FieldProblem, InputError

FILES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""What an adapter's file is called in a folder: diffusers' name and PEFT's."""

_CONFIG = "adapter_config.json"
_PREFIX = "transformer."
_LARGEST_FILE, _LARGEST_CONFIG = 4 * 2**30, 2**20
_LORA_FIELD, _PATH_FIELD = "lora", "lora_path"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An adapter on the shelf: what callers see of it, its tensors by the transformer's own names, the model that it
    was loaded for, and whether it fits the one in memory."""

    shown: Adapter
    tensors: Mapping[str, torch.Tensor]
    model: str
    fits: bool = True


class Shelf:
    """The adapters of one engine (`engines.extras.AdapterShelf`)."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._loaded: tuple[_Loaded, ...] = ()
        self._transformer: Any = None
        self._model = ""

    def fit(self, transformer: Any, model: str) -> None:
        """Name the transformer that wears the adapters from now on, and its model's name."""
        layers = _layers(transformer)
        with self._guard:
            self._transformer, self._model = transformer, model
            self._loaded = tuple(replace(one, fits=not _unfit(one.tensors, layers)) for one in self._loaded)

    def let_go(self) -> None:
        """Forget the transformer, whose memory is wanted back; the adapters stay for the next one."""
        with self._guard:
            self._transformer, self._model = None, ""

    def load(self, path: Path, name: str) -> Adapter:
        """Load an adapter under a name, replacing one of that name. Raises InputError for none, or none that fits."""
        tensors = _read(path)
        with self._guard:
            if self._transformer is None:
                raise EngineError("no model is in memory just now, so it cannot be told what fits; ask again")
            strange = _unfit(tensors, _layers(self._transformer))
            if strange:
                raise _refused(path, f"must be a LoRA of {self._model}, the model in memory; {strange}")
            shown = Adapter(name, active=True, scale=1.0)
            others = tuple(one for one in self._loaded if one.shown.name != name)
            self._loaded = (*others, _Loaded(shown, tensors, self._model))
        return shown

    def unload(self) -> None:
        """Take all adapters off the shelf."""
        with self._guard:
            self._loaded = ()

    def switch(self, *, active: bool) -> None:
        """Let the adapters take part in songs, or not."""
        self._change(lambda shown: replace(shown, active=active))

    def scale(self, name: str | None, scale: float) -> None:
        """Set how strongly one adapter (None: each) takes part. Raises InputError for an unknown name."""
        known = [adapter.name for adapter in self.list()]
        if name is not None and name not in known:
            raise InputError([FieldProblem("adapter_name", repr(name), _one_of(known))])
        self._change(lambda shown: replace(shown, scale=scale) if name in (None, shown.name) else shown)

    def list(self) -> Sequence[Adapter]:
        """List what is on the shelf."""
        with self._guard:
            return tuple(one.shown for one in self._loaded)

    def check(self, name: str) -> tuple[str, ...]:
        """Tell in sentences which adapters a batch that asks for this one ("": every active one) has to do without.

        Raises InputError for a name that is unknown, or does not fit the model in memory.
        """
        with self._guard:
            loaded, model = self._loaded, self._model
        if not name:
            absent = [one for one in loaded if one.shown.active and not one.fits]
            return tuple(f"adapter {one.shown.name} was not worn: {_made_for(one, model)}" for one in absent)
        chosen = next((one for one in loaded if one.shown.name == name), None)
        if chosen is None or not chosen.fits:
            allowed = _one_of([one.shown.name for one in loaded if one.fits])
            why = f" ({_made_for(chosen, model)}; name a model that it fits)" if chosen is not None else ""
            raise InputError([FieldProblem(_LORA_FIELD, repr(name), allowed + why)])
        return ()

    def wear(self, name: str, scale: float) -> None:
        """Put on what a batch wears: the one of `name` at `scale`, or with "" every active one at its own that fits.

        Call it from the thread that makes songs, between two batches. Raises InputError as `check` does.
        """
        self.check(name)
        with self._guard:
            loaded, transformer = tuple(one for one in self._loaded if one.fits), self._transformer
        wanted = {one.shown.name: one.shown.scale for one in loaded if one.shown.active}
        _dress(transformer, loaded, {name: scale} if name else wanted)

    def _change(self, changed: Callable[[Adapter], Adapter]) -> None:
        with self._guard:
            self._loaded = tuple(replace(one, shown=changed(one.shown)) for one in self._loaded)


def _dress(transformer: Any, loaded: Sequence[_Loaded], wanted: Mapping[str, float]) -> None:
    """Bring the transformer's adapters in line with the shelf, and let the wanted ones take part."""
    worn: dict[str, Mapping[str, torch.Tensor]] = getattr(transformer, "_acestep_worn", {})
    stale = [name for name, tensors in worn.items() if all(tensors is not one.tensors for one in loaded)]
    if stale:
        transformer.delete_adapters(stale)
    worn = {name: tensors for name, tensors in worn.items() if name not in stale}
    for one in loaded:
        if one.shown.name not in worn and one.shown.name in wanted:
            prefixed = {_PREFIX + key: tensor for key, tensor in one.tensors.items()}
            with warnings.catch_warnings():  # peft warns of every second adapter, which is what a shelf is for
                warnings.filterwarnings("ignore", message="Already found a `peft_config`")
                AceStepLoraLoaderMixin.load_lora_into_transformer(prefixed, transformer, adapter_name=one.shown.name)
            worn[one.shown.name] = one.tensors
    transformer._acestep_worn = worn
    if worn and wanted:
        transformer.enable_lora()
        transformer.set_adapters(list(wanted), list(wanted.values()))
    elif worn:
        transformer.disable_lora()


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Read an adapter's tensors by the transformer's names, its alpha worked into them. Raises InputError."""
    file = next((path / name for name in FILES if (path / name).is_file()), path)
    if file.suffix != ".safetensors" or not file.is_file():
        raise _refused(path, f"must be a .safetensors file, or a folder that holds {' or '.join(FILES)}")
    if file.stat().st_size > _LARGEST_FILE:
        raise _refused(path, f"must be at most {_LARGEST_FILE // 2**30} GiB")
    try:
        converted = AceStepLoraLoaderMixin.lora_state_dict(load_file(file))
    except SafetensorError as error:
        raise _refused(path, f"must be a whole safetensors file ({error})") from None
    strength = _strength(file.parent / _CONFIG)
    tensors = {key.removeprefix(_PREFIX): tensor for key, tensor in converted.items()}
    return {key: tensor * strength if ".lora_B." in key else tensor for key, tensor in tensors.items()}


def _strength(config: Path) -> float:
    """What PEFT multiplies an adapter with: alpha / rank, or alpha / root of rank; 1.0 without PEFT's config."""
    if not config.is_file():
        return 1.0
    try:
        if config.stat().st_size > _LARGEST_CONFIG:
            raise ValueError("it is longer than 1 MiB")
        given = json.loads(config.read_text(encoding="utf-8"))
        rank, alpha = float(given["r"]), float(given["lora_alpha"])
        return alpha / (math.sqrt(rank) if given.get("use_rslora") else rank)
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise _refused(config, f"must be PEFT's config with numbers r and lora_alpha ({error})") from None


def _layers(transformer: Any) -> dict[str, Any]:
    """Give a transformer's modules by the names that they have without adapters."""
    return {name.replace(".base_layer", ""): layer for name, layer in transformer.named_modules()}


def _unfit(tensors: Mapping[str, torch.Tensor], layers: Mapping[str, Any]) -> str:
    """Say what is strange about an adapter for a model with these layers, "" if nothing is: every tensor must be one
    half of a pair for a linear layer."""
    for key, tensor in tensors.items():
        name, half, _ = key.rpartition(".lora_A.") if ".lora_A." in key else key.rpartition(".lora_B.")
        layer, width = layers.get(name), {".lora_A.": "in_features", ".lora_B.": "out_features"}.get(half, "")
        size = getattr(layer, width, None) if width else None
        if size is None or tensor.ndim != 2 or size != tensor.shape[1 if width == "in_features" else 0]:
            return f"{key} {list(tensor.shape)} is no part of it"
    return "" if tensors else "it holds no tensor"


def _made_for(one: _Loaded, model: str) -> str:
    return f"it was loaded for {one.model} and does not fit {model}"


def _refused(path: Path, allowed: str) -> InputError:
    return InputError([FieldProblem(_PATH_FIELD, repr(path.name), allowed)])


def _one_of(names: Sequence[str]) -> str:
    return f"must be a loaded adapter: {', '.join(names) or 'none is'}"
