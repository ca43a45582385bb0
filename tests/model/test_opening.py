"""Does the house open the real model by itself? From weights on disk to a song, and to what `doctor` says."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny, tiny_planner

from acestep_serverless.assembly.engine import build_engine, engine_options
from acestep_serverless.assembly.report import examine
from acestep_serverless.engines.abilities import abilities_of
from acestep_serverless.engines.acestep import opening
from acestep_serverless.engines.acestep.loading import PlannerParts
from acestep_serverless.engines.acestep.machine import cpu_flags, free_memory, this_machine
from acestep_serverless.engines.acestep.opening import VisitingPlanner, weights_of
from acestep_serverless.engines.acestep.placement import Machine
from acestep_serverless.engines.acestep.search import find
from acestep_serverless.engines.base import Editing, GenerationRequest, Sampling
from acestep_serverless.engines.turns import songs_of
from acestep_serverless.errors import EngineUnavailable
from acestep_serverless.settings import Settings


def quiet(fraction: float, stage: str) -> None:
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny().save_checkpoints(tmp_path_factory.mktemp("weights"))
    tiny("acestep-v15-base", seed=1).save_diffusers(folder / "acestep-v15-base-diffusers")
    tiny_planner().save(folder)
    return folder


def settings(folder: Path, **wishes: str) -> Settings:
    return Settings.load(models_dir=folder, device="cpu", precision="float32", **wishes)


def test_auto_opens_the_weights_it_finds_and_makes_songs_of_each_model(weights: Path) -> None:
    engine = build_engine(settings(weights, planner="none"), {})
    assert engine.name == "acestep"
    assert engine.models == ("acestep-v15-turbo", "acestep-v15-base")
    tasks = abilities_of(engine).task_types
    assert tasks == {"": tasks["acestep-v15-turbo"], **{name: engine.task_types_of(name) for name in engine.models}}
    assert tasks["acestep-v15-base"] - tasks["acestep-v15-turbo"] == {"lego", "extract", "complete"}
    heard: list[float] = []
    engine.load(lambda fraction, stage: heard.append(fraction))
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    sampling = Sampling(inference_steps=2)
    songs = {}
    for model in engine.models:
        request = GenerationRequest("a calm song", "", 1.0, (5,), model=model, sampling=sampling)
        [songs[model]] = songs_of(engine, request, quiet)
        assert songs[model].clip.seconds == pytest.approx(1.0, abs=0.05)
        assert np.isfinite(songs[model].clip.samples).all()
    assert not np.array_equal(songs["acestep-v15-turbo"].clip.samples, songs["acestep-v15-base"].clip.samples)


def test_a_found_planner_is_opened_with_the_model(weights: Path) -> None:
    engine = build_engine(settings(weights), {})
    assert engine.language_model == "acestep-5Hz-lm-0.6B"
    assert engine.words is None
    engine.load(quiet)
    assert engine.words is not None


def test_the_planner_is_told_for_how_many_tokens_its_cache_has_room(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []
    real = opening.Planner
    monkeypatch.setattr(opening, "Planner", lambda parts, **wishes: given.append(wishes) or real(parts, **wishes))
    build_engine(settings(weights), {}).load(quiet)
    assert given[0]["positions"] >= 10_000


def test_another_model_finds_its_own_place_beside_the_planner_that_was_wished(weights: Path) -> None:
    options = engine_options(settings(weights, planner="acestep-5Hz-lm-0.6B"), {})
    looks: list[Machine] = []

    def look() -> Machine:
        looks.append(replace(this_machine(), gpus=(), cpu_bfloat16=bool(looks)))
        return looks[-1]

    offered = weights_of(find(options), look, replace(options, precision="auto"))
    assert offered.planner_name == "acestep-5Hz-lm-0.6B"
    assert offered.open_model("acestep-v15-turbo", quiet).placement.dtype == "float32"
    other = offered.open_model("acestep-v15-base", quiet).placement
    assert (other.dtype, other.planner) == ("bfloat16", "")


def test_a_model_of_tracks_is_known_by_its_config_and_reads_the_whole_song_s_caption(tmp_path: Path) -> None:
    tiny("acestep-v15-base").save_checkpoints(tmp_path)
    config = tmp_path / "acestep-v15-base" / "config.json"
    for stems in (False, True):
        config.write_text(json.dumps({**json.loads(config.read_text()), "is_lego_sft": stems}))
        engine = build_engine(settings(tmp_path, planner="none"), {})
        assert ({"global_caption", "chunk_mask_mode"} <= engine.uses) == stems
        engine.load(quiet)
        sampling, whole = Sampling(inference_steps=1), Editing(global_caption="a whole band")
        plain, led = (
            next(
                songs_of(engine, GenerationRequest("a song", "", 1.0, (5,), sampling=sampling, editing=editing), quiet)
            )
            for editing in (Editing(), whole)
        )
        assert np.array_equal(plain.clip.samples, led.clip.samples) != stems
        assert bool(led.warnings) != stems


def test_choosing_the_engine_and_searching_import_no_torch(weights: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom acestep_serverless.engines import choose_engine\n"
        "from acestep_serverless.engines.options import EngineOptions\n"
        "import acestep_serverless.cli, acestep_serverless.assembly.core, acestep_serverless.assembly.weights\n"
        "print(choose_engine('auto', EngineOptions(models_dir=Path(sys.argv[1]))).name, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(weights)], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["acestep", "False"], done.stderr


def test_a_missing_tensor_reaches_the_user_by_name(weights: Path, tmp_path: Path) -> None:
    own = tmp_path / "acestep-v15-turbo"
    own.mkdir()
    for name in ("vae", "Qwen3-Embedding-0.6B"):
        (tmp_path / name).symlink_to(weights / name)
    for name in ("config.json", "silence_latent.pt"):
        (own / name).write_bytes((weights / own.name / name).read_bytes())
    tensors = load_file(weights / own.name / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if name != "null_condition_emb"}, own / "model.safetensors"
    )
    with pytest.raises(EngineUnavailable, match="condition_encoder: 1 missing: null_condition_emb"):
        build_engine(settings(tmp_path, planner="none"), {}).load(quiet)


def test_doctor_says_what_was_found_and_where_it_would_go(weights: Path) -> None:
    findings = {finding.name: finding for finding in examine(settings(weights, model="acestep-v15-base"))}
    assert findings["engine acestep"].well
    assert findings["engine in use"].text.startswith("acestep: auto takes it: acestep-v15-base was found")
    found = findings["weights"].text
    assert "acestep-v15-turbo (models_dir, layout checkpoints)" in found
    assert "acestep-v15-base (models_dir, layout diffusers)" in found
    assert "planners: acestep-5Hz-lm-0.6B" in found
    placement = findings["placement"].text
    assert placement.startswith("acestep-v15-base on cpu, float32, whole, not compiled, 1 song of 240 s together")
    assert json.dumps(placement)


def test_a_device_that_is_not_there_is_doctor_s_finding(weights: Path) -> None:
    wished = Settings.load(models_dir=weights, device="cuda:63", engine="acestep")
    placement = next(finding for finding in examine(wished) if finding.name == "placement")
    assert (placement.well, placement.needed) == (False, True)
    assert "cuda:63 is not there" in placement.text


def test_the_machine_is_looked_at_as_it_is(tmp_path: Path) -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory > 0 or sys.platform != "linux"
    assert cpu_flags("processor: 0\nflags\t\t: fpu avx512_bf16\n\nprocessor: 1\nflags : x\n") == {"fpu", "avx512_bf16"}
    assert cpu_flags("nothing of the kind") == frozenset()
    meminfo, limit, used = (tmp_path / name for name in ("meminfo", "limit", "used"))
    meminfo.write_text("MemTotal: 32000 kB\nMemAvailable:   16000 kB\n")
    assert free_memory(meminfo, limit, used) == 16_000 * 1024
    limit.write_text("10240000\n")
    used.write_text("240000\n")
    assert free_memory(meminfo, limit, used) == 10_000_000
    limit.write_text("max\n")
    assert free_memory(meminfo, limit, used) == 16_000 * 1024


class Holding:
    """In place of a planner: the first caller stays until it is let go."""

    def __init__(self) -> None:
        self.arrived, self.go = threading.Event(), threading.Event()

    def invent(self, query: str, *_: Any) -> str:
        if query == "stay":
            self.arrived.set()
            assert self.go.wait(30)
        return query


def test_a_visiting_planner_leaves_its_device_with_the_last_of_its_callers() -> None:
    planner, model = Holding(), torch.nn.Linear(2, 2)
    own = model.weight.data
    visiting: Any = VisitingPlanner(planner, PlannerParts("p", model, None), "meta")  # type: ignore[arg-type]  # only what is asked here
    first = threading.Thread(target=visiting.invent, args=("stay", "en", None, None))
    first.start()
    try:
        assert planner.arrived.wait(30)
        assert visiting.invent("pass by", "en", None, None) == "pass by"
        assert model.weight.device.type == "meta"
    finally:
        planner.go.set()
        first.join(30)
    assert model.weight.data_ptr() == own.data_ptr()
