"""Where does a model go on which machine? Facts in, a placement with its reasons out."""

from dataclasses import replace
from pathlib import Path

import pytest
from weight_folders import CONFIGS, SHARED, lay

from acestep_serverless.engines.acestep.choosing import choose, published_burden
from acestep_serverless.engines.acestep.placement import GIB, Gpu, Machine, Placement
from acestep_serverless.engines.acestep.search import Found, find
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

LAPTOP = Machine(gpus=(), memory=16 * GIB, cores=8, cpu_bfloat16=False)
SERVER_CPU = replace(LAPTOP, memory=64 * GIB, cpu_bfloat16=True)


def card(gigabytes: float, capability: tuple[int, int] = (8, 6)) -> Machine:
    size = int(gigabytes * GIB)
    return replace(LAPTOP, gpus=(Gpu("a card", size, int(size * 0.97), capability),), gpu_compiler=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return find(EngineOptions(models_dir=lay(tmp_path_factory.mktemp("models"), *CONFIGS)))


def placed(found: Found, machine: Machine, **wishes: str) -> Placement:
    return choose(found, machine, EngineOptions(**wishes)).placement


@pytest.mark.parametrize(
    ("gigabytes", "model", "offload", "planner"),
    [
        (6, "acestep-v15-turbo", "parts", "acestep-5Hz-lm-1.7B"),
        (8, "acestep-v15-turbo", "parts", "acestep-5Hz-lm-1.7B"),
        (12, "acestep-v15-turbo", "none", "acestep-5Hz-lm-0.6B"),
        (16, "acestep-v15-turbo", "none", "acestep-5Hz-lm-1.7B"),
        (24, "acestep-v15-turbo", "none", "acestep-5Hz-lm-4B"),
        (12, "acestep-v15-xl-turbo", "parts", "acestep-5Hz-lm-4B"),
        (16, "acestep-v15-xl-turbo", "none", ""),
        (24, "acestep-v15-xl-base", "none", "acestep-5Hz-lm-1.7B"),
        (141, "acestep-v15-xl-base", "none", "acestep-5Hz-lm-4B"),
    ],
)
def test_a_card_gets_what_fits(gigabytes: int, model: str, offload: str, planner: str, found: Found) -> None:
    placement = placed(found, card(gigabytes), model=model)
    assert (placement.device, placement.dtype) == ("cuda:0", "bfloat16")
    assert (placement.offload, placement.planner) == (offload, planner)
    assert 1 <= placement.songs_together <= 8


def test_the_planner_s_cache_has_the_memory_that_weights_leave(found: Found) -> None:
    one_song, batch = 2 * 5_000, 8 * 2 * 5_000
    sizes = [placed(found, card(size), planner="acestep-5Hz-lm-0.6B").planner_positions for size in (12, 14, 16, 24)]
    assert sizes == sorted(sizes)
    assert (sizes[-1], sizes[0] > 2 * one_song) == (batch, True)
    burden, small = published_burden("acestep-v15-turbo"), "acestep-5Hz-lm-0.6B"
    spare = 24 * GIB / 4 - sum(burden.parts.values()) - burden.planners[small].parameters
    left = placed(found, replace(LAPTOP, memory=24 * GIB), planner=small).planner_positions
    assert left == spare // (2 * 28 * 8 * 128)  # keys and values of 28 layers with 8 heads of 128
    assert placed(found, replace(LAPTOP, memory=1), planner="acestep-5Hz-lm-0.6B").planner_positions == one_song
    assert placed(found, card(24), planner="none").planner_positions == 0


def test_more_memory_never_means_fewer_songs(found: Found) -> None:
    songs = [placed(found, card(size), planner="none", offload="none").songs_together for size in range(10, 30, 2)]
    assert songs == sorted(songs)
    assert songs[-1] == 8


def test_a_card_too_small_for_one_part_leaves_it_to_the_cpu_and_says_so(found: Found) -> None:
    placement = placed(found, card(3))
    assert placement.device == "cpu"
    assert any("the model in parts needs" in reason for reason in placement.reasons)
    with pytest.raises(EngineUnavailable, match=r"device: cuda cannot be used: a card has 2\.9 GiB free"):
        placed(found, card(3), device="cuda")


@pytest.mark.parametrize(
    ("capability", "dtype"), [((9, 0), "bfloat16"), ((8, 0), "bfloat16"), ((7, 5), "float16"), ((6, 1), "float32")]
)
def test_the_card_s_generation_decides_the_numbers(capability: tuple[int, int], dtype: str, found: Found) -> None:
    assert placed(found, card(24, capability)).dtype == dtype
    assert placed(found, card(24, capability), precision="float32").dtype == "float32"


def test_a_cpu_computes_in_what_it_multiplies_itself_with_the_smallest_planner(found: Found) -> None:
    plain, able = placed(found, LAPTOP), placed(found, SERVER_CPU)
    assert (plain.device, plain.dtype, able.dtype) == ("cpu", "float32", "bfloat16")
    assert (able.planner, able.offload, able.compile) == ("acestep-5Hz-lm-0.6B", "none", False)
    assert "no CUDA device is here, so the CPU computes" in able.reasons
    assert placed(found, SERVER_CPU, compile="on").compile


def test_eight_bits_are_for_a_cpu_that_multiplies_bytes(found: Found) -> None:
    able = placed(found, replace(SERVER_CPU, cpu_bytes=True), precision="int8")
    assert (able.eight_bits, able.dtype, able.codec_dtype) == (True, "bfloat16", "bfloat16")
    assert not any("compile" in reason for reason in able.reasons)
    older = placed(found, replace(LAPTOP, cpu_bytes=True), precision="int8")
    assert (older.eight_bits, older.dtype) == (True, "float32")
    assert not placed(found, replace(SERVER_CPU, cpu_bytes=True)).eight_bits
    with pytest.raises(EngineUnavailable, match=r"precision: int8 needs a CPU .*; choose auto, bfloat16 or float32"):
        placed(found, SERVER_CPU, precision="int8")
    with pytest.raises(
        EngineUnavailable, match=r"precision: int8 is for CPUs, and a card was chosen; .* or device cpu"
    ):
        placed(found, card(24), precision="int8")
    with pytest.raises(EngineUnavailable, match="compile: with precision int8"):
        placed(found, replace(SERVER_CPU, cpu_bytes=True), precision="int8", compile="on")


def test_little_memory_is_said(found: Found) -> None:
    small = placed(found, replace(LAPTOP, memory=8 * GIB))
    assert any(reason.startswith("memory may run out") for reason in small.reasons)
    assert small.planner == ""


def test_the_card_with_the_most_free_memory_is_taken_and_a_wished_one_before_it(found: Found) -> None:
    cards = (Gpu("busy", 24 * GIB, 6 * GIB, (8, 6)), Gpu("idle", 16 * GIB, 15 * GIB, (8, 6)))
    machine = replace(LAPTOP, gpus=cards)
    assert placed(found, machine).device == "cuda:1"
    assert placed(found, machine, device="cuda:0").device == "cuda:0"
    with pytest.raises(EngineUnavailable, match=r"device: cuda:2 is not there; cpu, cuda:0, cuda:1 can be used"):
        placed(found, machine, device="cuda:2")
    with pytest.raises(EngineUnavailable, match="cuda:0 is not there; cpu can be used"):
        placed(found, LAPTOP, device="cuda")


def test_compiling_waits_for_a_card_that_holds_everything(found: Found) -> None:
    assert placed(found, card(24)).compile
    assert not placed(found, card(24), compile="off").compile
    assert not placed(found, card(8)).compile
    assert not placed(found, replace(card(24), gpu_compiler=False)).compile


def test_a_wished_planner_is_had_by_offloading_or_refused_with_the_command(found: Found, tmp_path: Path) -> None:
    placement = placed(found, card(16), planner="acestep-5Hz-lm-4B")
    assert (placement.planner, placement.offload) == ("acestep-5Hz-lm-4B", "parts")
    assert placed(found, card(16), planner="none").planner == ""
    alone = find(EngineOptions(models_dir=lay(tmp_path, "acestep-v15-turbo", *SHARED)))
    assert "no planner: none was found" in placed(alone, card(16)).reasons
    with pytest.raises(EngineUnavailable, match="models download acestep-5Hz-lm-4B"):
        placed(alone, card(16), planner="acestep-5Hz-lm-4B")
