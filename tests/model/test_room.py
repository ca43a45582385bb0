"""Is a lack of memory while weights are read said in words, with what would fit, and nothing of them kept?"""

import errno
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny, tiny_planner

from acestep_serverless.engines.acestep import streaming
from acestep_serverless.engines.acestep.choosing import published_burden
from acestep_serverless.engines.acestep.machine import this_machine
from acestep_serverless.engines.acestep.opening import weights_of
from acestep_serverless.engines.acestep.placement import GIB, Gpu, Machine, Placement
from acestep_serverless.engines.acestep.room import choices, too_little
from acestep_serverless.engines.acestep.search import find
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

NAMES = ("acestep-v15-turbo", "acestep-v15-xl-turbo")
MODELS = {name: published_burden(name) for name in NAMES}
FULL = "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried ..."


def quiet(_done: float, _stage: str) -> None:
    pass


@pytest.mark.parametrize(
    ("free", "on_gpu", "expected"),
    [
        (64, False, ["acestep-v15-turbo in float32", "acestep-v15-xl-turbo in float32"]),
        (
            15,
            False,
            ["acestep-v15-turbo in float32", "acestep-v15-turbo in bfloat16", "acestep-v15-xl-turbo in bfloat16"],
        ),
        (8, False, ["acestep-v15-turbo in bfloat16"]),
        (3, False, []),
        (6, True, ["acestep-v15-turbo in bfloat16, offload parts"]),
    ],
)
def test_what_would_fit_is_counted_from_shapes(free: float, on_gpu: bool, expected: list[str]) -> None:
    assert choices(free * GIB, MODELS, on_gpu=on_gpu)[: len(expected) or None] == expected


def test_the_words_name_the_place_the_need_and_the_choices() -> None:
    machine = Machine((Gpu("a card", 8 * GIB, 7 * GIB, (8, 6)),), 8 * GIB, 4, cpu_bfloat16=True)
    on_cpu = Placement("cpu", "float32", "float32", "none", False, "", 1, 512, ())
    assert too_little("acestep-v15-xl-turbo", on_cpu, machine, MODELS) == (
        "main memory has no room for the weights of acestep-v15-xl-turbo in float32: 8.0 GiB are free; "
        "they take 21.4 GiB; what would fit: acestep-v15-turbo in bfloat16 (settings model, precision); "
        "planner none leaves more"
    )
    on_gpu = Placement("cuda:0", "bfloat16", "bfloat16", "none", False, "", 1, 512, ())
    said = too_little("acestep-5Hz-lm-4B", on_gpu, machine, {NAMES[1]: MODELS[NAMES[1]]})
    assert said.startswith(
        "cuda:0 has no room for the weights of acestep-5Hz-lm-4B in bfloat16: 7.0 GiB are free; no model"
    )


@pytest.mark.parametrize(
    ("kind", "words"), [(RuntimeError, FULL), (MemoryError, ""), (torch.OutOfMemoryError, "CUDA out of memory")]
)
@pytest.mark.parametrize("part", ["model", "planner"])
def test_memory_that_runs_out_while_weights_are_read_is_said_and_given_back(
    kind: type[Exception], words: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny().save_checkpoints(tmp_path)
    tiny_planner().save(folder)
    options = EngineOptions(models_dir=folder, device="cpu", precision="float32")
    read: list[weakref.ref[torch.Tensor]] = []
    kept: list[int] = []

    def look() -> Machine:
        kept.append(sum(one() is not None for one in read))
        return this_machine()

    offered = weights_of(find(options), look, options)
    real = streaming._moved

    def full(tensor: torch.Tensor, *where: Any) -> torch.Tensor:
        if len(read) == 5:
            raise kind(words)
        read.append(weakref.ref(moved := real(tensor, *where)))
        return moved

    monkeypatch.setattr(streaming, "_moved", full)
    assert offered.open_planner is not None
    name = "acestep-v15-turbo" if part == "model" else "acestep-5Hz-lm-0.6B"
    with pytest.raises(
        EngineUnavailable, match=f"main memory has no room for the weights of {name} in float32"
    ) as said:
        offered.open_model(name, quiet) if part == "model" else offered.open_planner(quiet)
    assert "what would fit: acestep-v15-turbo in float32" in str(said.value)
    assert (len(read), kept[-1]) == (5, 0)


def test_another_error_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = EngineOptions(models_dir=tiny().save_checkpoints(tmp_path), device="cpu", precision="float32")
    offered = weights_of(find(options), this_machine, options)

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(streaming, "_moved", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        offered.open_model("acestep-v15-turbo", quiet)


def test_a_file_that_cannot_be_mapped_for_lack_of_memory_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    options = EngineOptions(models_dir=tiny().save_checkpoints(tmp_path), device="cpu", precision="float32")
    offered = weights_of(find(options), this_machine, options)
    monkeypatch.setattr(streaming, "safe_open", full)
    with pytest.raises(EngineUnavailable, match="main memory has no room"):
        offered.open_model("acestep-v15-turbo", quiet)
