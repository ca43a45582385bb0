"""Where does the model compute, and in which numbers? Decided from facts about the machine, by rules one can read.

Everything here is a pure function: facts and wishes in, a placement with its reasons out. Memory is computed from the
shapes (`sizes`), not measured: weights, and what the largest step of one song needs beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

GIB = 1024**3
BYTES: Mapping[str, int] = MappingProxyType({"bfloat16": 2, "float16": 2, "float32": 4})
INT8 = "int8"
"""The precision that is a wish for a CPU's products alone: all else is in bfloat16 or float32."""

CUDA_RESERVE = 768 * 1024**2
"""What CUDA's context, its libraries and a compiled graph keep for themselves."""
SCRAP = 0.92
"""The share of free memory that an allocator can hand out before its scraps are too small."""
SECONDS = 600.0
"""The longest song; what fits is decided for it."""
LATENTS_PER_SECOND, PATCH = 25.0, 2
CODEC_FRAMES, SAMPLES_A_FRAME, CODEC_CHANNELS, CODEC_TENSORS = 512, 1_920, 128, 5
"""The codec's tile, and what its largest moment keeps: tensors of the last layer's channels at 48 kHz. Counted over a
whole decoding they are 4.7, with what a tile hears of its neighbours."""
WORDS = 2_305
"""How many tokens of words the longest song hears at most: 2,048 of lyrics, 256 of its caption, one of timbre."""
MOST_CODEC_FRAMES = 2_048
MOST_SONGS = 8
PLANNER_TOKENS, PLANNER_LANES = 5_000, 2
"""The codes of the longest song with their words, twice: guided planning reads each with and without the caption."""
MOST_POSITIONS = MOST_SONGS * PLANNER_LANES * PLANNER_TOKENS
"""Of text in the planner's cache: no batch needs more."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One CUDA device: bytes in all and free now, and its compute capability such as (9, 0)."""

    name: str
    memory: int
    free: int
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Machine:
    """What is there to compute with: bytes of main memory that are free, whether the CPU multiplies bfloat16 and bytes
    itself, whether code can be compiled for the CPU (a C++ compiler) and for the GPU (Triton)."""

    gpus: tuple[Gpu, ...]
    memory: int
    cores: int
    cpu_bfloat16: bool
    cpu_compiler: bool = False
    gpu_compiler: bool = False
    cpu_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Burden:
    """What is to be placed: parameters of each part, the transformer's widths, how many numbers of keys and values its
    layers keep for each token of the words, whether it is guided (twice the batch), and the planners to choose from."""

    parts: Mapping[str, int]
    width: int
    inner: int
    heard: int
    guided: bool
    planners: Mapping[str, "PlannerBurden"]


@dataclass(frozen=True, slots=True)
class PlannerBurden:
    """A planner's parameters, and how many numbers its cache keeps for each token."""

    parameters: int
    cached: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything goes. `device` is torch's name; `dtype` and `codec_dtype` are names of torch's types.

    `offload` "parts" keeps each part in main memory but while it works. `planner` is the name of the one to load, ""
    for none, `planner_positions` for how many tokens its cache has room, every row of a batch counted: it works while
    the transformer rests, and may have that one's memory. `songs_together` is how many songs of 240 s fit in one pass,
    `codec_frames` how many latent frames the codec may work on at once. `eight_bits` rounds the linear layers of
    transformer and planner (`eight_bits`). `reasons` are sentences for people.
    """

    device: str
    dtype: str
    codec_dtype: str
    offload: str
    compile: bool
    planner: str
    songs_together: int
    codec_frames: int
    reasons: tuple[str, ...]
    planner_positions: int = 0
    eight_bits: bool = False


def place(machine: Machine, burden: Burden, wishes: EngineOptions) -> Placement:
    """Decide. Raises EngineUnavailable when a wish cannot be had, saying what can."""
    if _device(machine, wishes.device) == "cpu":
        return _on_cpu(machine, burden, wishes)
    index = int(_device(machine, wishes.device).removeprefix("cuda:"))
    placed = _on_gpu(machine, index, burden, wishes)
    if placed is not None:
        return placed
    gpu = machine.gpus[index]
    least = working(burden, 2, SECONDS) + 2 * largest_turn(burden.parts) + CUDA_RESERVE
    small = f"{gpu.name} has {_gib(gpu.free)} free, the model in parts needs {_gib(least / SCRAP)}"
    if wishes.device != "auto":
        raise EngineUnavailable(f"device: {wishes.device} cannot be used: {small}; choose a smaller model, or cpu")
    return _on_cpu(machine, burden, wishes, f"{small}, so the CPU computes")


def _device(machine: Machine, wish: str) -> str:
    """Choose "cpu" or "cuda:N": the wished one, else the GPU with the most free memory."""
    if wish == "cpu" or (wish == "auto" and not machine.gpus):
        return "cpu"
    if wish in ("auto", "cuda"):
        wish = f"cuda:{max(range(len(machine.gpus)), key=lambda index: machine.gpus[index].free, default=0)}"
    known = [f"cuda:{index}" for index in range(len(machine.gpus))]
    if wish not in known:
        raise EngineUnavailable(f"device: {wish} is not there; {', '.join(['cpu', *known])} can be used")
    return wish


def _on_cpu(machine: Machine, burden: Burden, wishes: EngineOptions, why: str = "") -> Placement:
    reasons = [why] if why else [] if wishes.device == "cpu" else ["no CUDA device is here, so the CPU computes"]
    dtype, eight_bits = wishes.precision, wishes.precision == INT8
    if dtype in ("auto", INT8):
        dtype = "bfloat16" if machine.cpu_bfloat16 else "float32"
        able = "multiplies" if machine.cpu_bfloat16 else "does not multiply"
        reasons.append(f"{dtype}: this CPU {able} bfloat16 itself")
    if eight_bits:
        _refuse_eight_bits(machine, wishes)
        reasons.append("int8: the linear layers of transformer and planner are rounded to 8 bits")
    needed = weights(burden.parts, dtype) + working(burden, BYTES[dtype], SECONDS)
    if needed > machine.memory:
        reasons.append(f"memory may run out: about {_gib(needed)} are needed, {_gib(machine.memory)} are free")
    # Small before large: on a CPU a planner's every token reads all of its weights.
    planner = _chosen(burden, wishes, machine.memory - needed, dtype, smallest=True, reasons=reasons)
    compiled = wishes.compile == "on"
    if not compiled and not eight_bits:
        reasons.append("not compiled: on a CPU that takes half a minute at every start; set compile to on to have it")
    room = machine.memory - weights(burden.parts, dtype)
    positions = _positions(burden, planner, dtype, room)
    told = tuple(reasons)
    return Placement("cpu", dtype, dtype, "none", compiled, planner, 1, CODEC_FRAMES, told, positions, eight_bits)


def _refuse_eight_bits(machine: Machine, wishes: EngineOptions) -> None:
    if not machine.cpu_bytes:
        needed = "a CPU that multiplies bytes itself (AVX512-VNNI, AVX-VNNI or AMX)"
        raise EngineUnavailable(f"precision: int8 needs {needed}; choose auto, bfloat16 or float32")
    if wishes.compile == "on":
        raise EngineUnavailable("compile: with precision int8 there is nothing to compile; choose auto or off")


def _on_gpu(machine: Machine, index: int, burden: Burden, wishes: EngineOptions) -> Placement | None:
    """Place everything on one GPU, or part by part; None when not even one part fits."""
    gpu = machine.gpus[index]
    if wishes.precision == INT8:
        raise EngineUnavailable(
            f"precision: int8 is for CPUs, and {gpu.name} was chosen; choose another precision, or device cpu"
        )
    dtype = wishes.precision if wishes.precision != "auto" else _gpu_dtype(gpu)
    reasons = [f"{gpu.name}, {_gib(gpu.memory)}, {_gib(gpu.free)} free", f"{dtype}: {_dtype_reason(gpu, wishes)}"]
    usable = gpu.free * SCRAP - CUDA_RESERVE
    whole, one = weights(burden.parts, dtype), working(burden, BYTES[dtype], SECONDS)
    wished = planner_bytes(burden.planners[wishes.planner], dtype) if wishes.planner in burden.planners else 0
    resident = whole + one + wished <= usable if wishes.offload == "auto" else wishes.offload == "none"
    held = whole if resident else BYTES[dtype] * largest_turn(burden.parts)
    if held + one > usable:
        return None
    offload = "none" if resident else "parts"
    reasons.append(f"weights {_gib(whole)}, one song of {SECONDS:g} s {_gib(one)}: " + _offload_words(resident))
    spare = usable - held - one if resident else usable
    planner = _chosen(burden, wishes, spare, dtype, smallest=False, reasons=reasons)
    taken = planner_bytes(burden.planners[planner], dtype) if planner and resident else 0
    left = usable - held - one - taken
    songs = 1 + int(left // working(burden, BYTES[dtype], 240.0, codec=False))
    frames = CODEC_FRAMES + int(left // (SAMPLES_A_FRAME * CODEC_CHANNELS * CODEC_TENSORS * BYTES[dtype]))
    compiled = wishes.compile == "on" or (wishes.compile == "auto" and resident and machine.gpu_compiler)
    return Placement(
        f"cuda:{index}",
        dtype,
        dtype,
        offload,
        compiled,
        planner,
        max(1, min(MOST_SONGS, songs)),
        max(CODEC_FRAMES, min(MOST_CODEC_FRAMES, frames)),
        tuple(reasons),
        _positions(burden, planner, dtype, usable - whole if resident else usable),
    )


def _gpu_dtype(gpu: Gpu) -> str:
    return "bfloat16" if gpu.capability >= (8, 0) else "float16" if gpu.capability >= (7, 0) else "float32"


def _dtype_reason(gpu: Gpu, wishes: EngineOptions) -> str:
    if wishes.precision != "auto":
        return "it is configured"
    return f"compute capability {gpu.capability[0]}.{gpu.capability[1]}"


def _offload_words(resident: bool) -> str:
    return "all of it stays on the GPU" if resident else "parts come to the GPU in turn"


def _chosen(
    burden: Burden, wishes: EngineOptions, spare: float, dtype: str, *, smallest: bool, reasons: list[str]
) -> str:
    """Choose the planner: the wished one, else the largest that fits into the spare bytes (on a CPU the smallest)."""
    if wishes.planner == "none" or (wishes.planner == "auto" and not burden.planners):
        reasons.append("no planner: " + ("it is configured" if wishes.planner == "none" else "none was found"))
        return ""
    if wishes.planner != "auto":
        if wishes.planner not in burden.planners:
            raise EngineUnavailable(f"planner: {wishes.planner} was not found; run: {_download(wishes.planner)}")
        return wishes.planner
    fitting = {name: one for name, one in burden.planners.items() if planner_bytes(one, dtype) <= spare}
    if not fitting:
        reasons.append(f"no planner: {_gib(max(0.0, spare))} are left, too little for {', '.join(burden.planners)}")
        return ""
    choose = min if smallest else max
    name = choose(fitting, key=lambda name: fitting[name].parameters)
    reasons.append(f"planner {name}: the {'smallest, as on every CPU' if smallest else 'largest that fits'}")
    return name


def _download(name: str) -> str:
    return f"acestep-serverless models download {name}"


def weights(parts: Mapping[str, int], dtype: str) -> int:
    """Give the bytes of parameters by part."""
    return BYTES[dtype] * sum(parts.values())


def largest_turn(parts: Mapping[str, int]) -> int:
    """Give the parameters that are on the GPU at once when parts take turns: the transformer's, or all the others'."""
    return max(parts["transformer"], sum(parts.values()) - parts["transformer"])


def planner_bytes(planner: PlannerBurden, dtype: str) -> int:
    """Give the bytes of a planner with its cache for the longest song, guided."""
    return BYTES[dtype] * (planner.parameters + planner.cached * PLANNER_TOKENS * PLANNER_LANES)


def _positions(burden: Burden, planner: str, dtype: str, room: float) -> int:
    """Give the tokens that the planner's cache may hold in the bytes that the model's weights leave: those of one
    guided song of the longest length at least, since it was chosen for that."""
    if not planner:
        return 0
    one = burden.planners[planner]
    fits = int((room / BYTES[dtype] - one.parameters) // one.cached)
    return max(PLANNER_LANES * PLANNER_TOKENS, min(MOST_POSITIONS, fits))


def working(burden: Burden, size: int, seconds: float, *, codec: bool = True) -> int:
    """Give the bytes that one song of so many seconds needs beside the weights, at `size` bytes a number.

    The transformer's largest moment is its feed-forward: eight rows of its width (states, residual, shifts, query, key,
    value, output) and three of its inner width for each token, beside the words' keys and values (a shorter song has
    fewer words), twice for a guided model. The codec's is that of a tile of `CODEC_FRAMES`. The two do not happen at
    once.
    """
    tokens, words = seconds * LATENTS_PER_SECOND / PATCH, WORDS * min(1.0, seconds / SECONDS)
    lanes = 2 if burden.guided else 1
    transformer = lanes * (tokens * (8 * burden.width + 3 * burden.inner) + words * burden.heard) * size
    tile = CODEC_FRAMES * SAMPLES_A_FRAME * CODEC_CHANNELS * CODEC_TENSORS * size if codec else 0
    return int(max(transformer, tile))


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
