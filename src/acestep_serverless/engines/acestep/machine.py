"""What does this machine have to compute with? The facts that `placement` decides from: GPUs, memory, abilities."""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import torch

from acestep_serverless.engines.acestep.placement import Gpu, Machine

CPU_FLAGS = Path("/proc/cpuinfo")
MEMORY = Path("/proc/meminfo")
CONTAINER_LIMIT, CONTAINER_USE = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""The processor flags of an arithmetic unit for bfloat16: two of x86, one of ARM. Without it, it is slower than
float32."""
BYTE_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""The processor flags of an arithmetic unit for products of bytes with 32-bit sums, all of x86."""


def this_machine() -> Machine:
    """Look at this machine; nothing is allocated on a GPU but CUDA's own context."""
    flags = cpu_flags(_text(CPU_FLAGS))
    return Machine(
        gpus=tuple(_gpu(index) for index in range(torch.cuda.device_count())),
        memory=free_memory(MEMORY, CONTAINER_LIMIT, CONTAINER_USE),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_bfloat16=bool(BFLOAT16_FLAGS & flags),
        cpu_bytes=bool(BYTE_FLAGS & flags),
        cpu_compiler=any(shutil.which(name) for name in ("c++", "g++", "clang++")),
        gpu_compiler=find_spec("triton") is not None and any(shutil.which(name) for name in ("cc", "gcc", "clang")),
    )


def _gpu(index: int) -> Gpu:
    free, memory = torch.cuda.mem_get_info(index)
    major, minor = torch.cuda.get_device_capability(index)
    return Gpu(torch.cuda.get_device_name(index), memory, free, (major, minor))


def cpu_flags(listing: str) -> frozenset[str]:
    """Give the first processor's flags from `/proc/cpuinfo` ("flags" on x86, "Features" on ARM)."""
    line = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", listing, re.MULTILINE)
    return frozenset(line[1].split()) if line else frozenset()


def free_memory(meminfo: Path, limit: Path, used: Path) -> int:
    """Give the bytes that a process can still have: what is available, and what the container leaves of it.

    Where neither is said (not on Linux) it is the physical memory, or 0 when even that is not known.
    """
    line = re.search(r"^MemAvailable:\s*(\d+) kB", _text(meminfo), re.MULTILINE)
    free = int(line[1]) * 1024 if line else _physical()
    most, now = _text(limit).strip(), _text(used).strip()
    return min(free, max(0, int(most) - int(now))) if most.isdigit() and now.isdigit() else free


def _physical() -> int:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
