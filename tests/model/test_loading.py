"""Do weights load as they are? Both layouts, one file or shards, every shape; and what does not fit is named."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from diffusers import AceStepPipeline, FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from tiny import Tiny, original_tensors, tiny, tiny_planner, write_shards

from acestep_serverless.engines.acestep.loading import Components, load_components, load_planner
from acestep_serverless.engines.acestep.placement import Placement
from acestep_serverless.engines.acestep.search import Found, find
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

ON_CPU = Placement(
    device="cpu",
    dtype="float32",
    codec_dtype="float32",
    offload="none",
    compile=False,
    planner="",
    songs_together=1,
    codec_frames=512,
    reasons=(),
)
PARTS = ("transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer", "vae", "text_encoder")
TURBO = "acestep-v15-turbo"
TURBO_MODEL = tiny(TURBO)
"""Made once: no test changes it."""


def quiet(fraction: float, stage: str) -> None:
    pass


def look(folder: Path) -> Found:
    return find(EngineOptions(models_dir=folder))


def load(folder: Path, placement: Placement = ON_CPU) -> Components:
    return load_components(look(folder).model(""), placement, quiet)


def assert_same_weights(loaded: Components, made: Tiny) -> None:
    for part in PARTS:
        ours, theirs = getattr(loaded, part), getattr(made, part)
        assert type(ours) is type(theirs)
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        for name, tensor in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], tensor), (part, name)
        for name, tensor in theirs.named_buffers():
            assert torch.equal(ours.get_buffer(name), tensor), (part, name)
        assert not ours.training
        assert not any(parameter.requires_grad for parameter in ours.parameters())


@pytest.mark.parametrize("name", [TURBO, "acestep-v15-sft", "acestep-v15-xl-base"])
def test_the_upstream_layout_becomes_the_same_modules(name: str, tmp_path: Path) -> None:
    made = TURBO_MODEL if name == TURBO else tiny(name)
    loaded = load(made.save_checkpoints(tmp_path))
    assert loaded.name == name
    assert_same_weights(loaded, made)
    assert (loaded.guided, loaded.steps) == ((False, 8) if "turbo" in name else (True, 50))
    assert loaded.transformer.layer_types == made.transformer.layer_types
    for name, value in loaded.transformer.config.items():
        assert name == "layer_types" or made.transformer.config[name] == value, name


@pytest.mark.parametrize("name", ["acestep-v15-xl-base"])
def test_diffusers_layout_becomes_the_same_modules(name: str, tmp_path: Path) -> None:
    made = tiny(name)
    loaded = load(made.save_diffusers(tmp_path / f"{name}-diffusers"))
    assert loaded.name == name
    assert_same_weights(loaded, made)
    assert loaded.guided == (not made.variant.is_turbo)


def test_shards_are_read_as_one_file_is(tmp_path: Path) -> None:
    made = TURBO_MODEL
    assert_same_weights(load(made.save_checkpoints(tmp_path, shards=3)), made)


def test_loaded_modules_make_the_song_that_diffusers_makes(tmp_path: Path) -> None:
    made = TURBO_MODEL
    loaded = load(made.save_checkpoints(tmp_path))
    modules = {part: getattr(loaded, part) for part in (*PARTS, "tokenizer")}
    ours = AceStepPipeline(**modules, scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0))
    ours.set_progress_bar_config(disable=True)
    assert torch.allclose(_song(ours), _song(made.pipeline()), atol=1e-5)
    assert loaded.sample_rate == 48_000
    assert loaded.silence_latent.shape == (1, 15_000, 8)


def _song(pipeline: AceStepPipeline) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    words = {"prompt": "a calm piano song", "lyrics": "[Verse]\nStay", "guidance_scale": 1.0}
    return pipeline(**words, audio_duration=1.0, num_inference_steps=2, generator=generator).audios


def test_weights_are_read_in_the_placement_s_types_and_progress_ends_at_one(tmp_path: Path) -> None:
    made = TURBO_MODEL
    found = look(made.save_checkpoints(tmp_path)).model("")
    heard: list[tuple[float, str]] = []
    placement = Placement("cpu", "bfloat16", "float32", "none", False, "", 1, 512, ())
    loaded = load_components(found, placement, lambda fraction, stage: heard.append((fraction, stage)))
    assert {parameter.dtype for parameter in loaded.transformer.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in loaded.vae.parameters()} == {torch.float32}
    assert loaded.silence_latent.dtype == torch.bfloat16
    # Positions are counted in float32 whatever the weights are.
    assert loaded.text_encoder.rotary_emb.inv_freq.dtype == torch.float32
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {"loading transformer", "loading vae", "loading text encoder"} <= {stage for _, stage in heard}


def test_loading_bothers_nobody_with_its_libraries_own_warnings(tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        load(tmp_path)
    assert [str(warning.message) for warning in heard] == []


def test_loading_writes_nothing_and_keeps_no_file_open_to_changes(tmp_path: Path) -> None:
    made = TURBO_MODEL
    made.save_checkpoints(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    loaded = load(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    weights = tmp_path / TURBO / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    assert_same_weights(loaded, made)


@pytest.mark.parametrize("bare", [False, True], ids=["as published", "without the model's prefix"])
def test_a_planner_loads_with_its_output_tied(bare: bool, tmp_path: Path) -> None:
    made = tiny_planner(codes=100)
    folder = made.save(tmp_path)
    if bare:
        tensors = load_file(folder / "model.safetensors")
        stripped = {name.removeprefix("model."): tensor.clone() for name, tensor in tensors.items()}
        save_file(stripped, folder / "model.safetensors")
    loaded = load_planner(look(tmp_path).planner("acestep-5Hz-lm-0.6B"), ON_CPU, quiet)
    ids = made.tokenizer("bpm: 96<|audio_code_7|>", return_tensors="pt").input_ids
    assert torch.equal(loaded.tokenizer("bpm: 96<|audio_code_7|>", return_tensors="pt").input_ids, ids)
    assert torch.allclose(loaded.model(ids).logits, made.model(ids).logits, atol=1e-5)
    assert loaded.model.lm_head.weight is loaded.model.model.embed_tokens.weight


def _spoiled(folder: Path, change: str) -> None:
    made = TURBO_MODEL
    made.save_checkpoints(folder)
    tensors = original_tensors(made)
    if change == "missing":
        for name in [name for name in tensors if ".cross_attn.q_proj." in name]:
            del tensors[name]
    elif change == "unknown":
        tensors["decoder.layers.0.mystery.weight"] = torch.zeros(2)
    else:
        tensors["encoder.text_projector.weight"] = torch.zeros(3, 3)
    write_shards(tensors, folder / TURBO, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("missing", "transformer: 2 missing: layers.0.cross_attn.to_q.weight, layers.1.cross_attn.to_q.weight"),
        ("unknown", "transformer: 1 unknown: decoder.layers.0.mystery.weight"),
        ("shape", "condition_encoder: 1 of another shape: text_projector.weight [3, 3] instead of [32, 32]"),
    ],
)
def test_tensors_that_do_not_fit_are_named_before_any_is_read(change: str, said: str, tmp_path: Path) -> None:
    _spoiled(tmp_path, change)
    heard: list[float] = []
    with pytest.raises(EngineUnavailable) as raised:
        load_components(look(tmp_path).model(""), ON_CPU, lambda fraction, stage: heard.append(fraction))
    assert said in str(raised.value)
    assert heard == []


def test_tensors_that_no_part_knows_are_left_alone(tmp_path: Path) -> None:
    made = TURBO_MODEL
    made.save_checkpoints(tmp_path)
    write_shards(original_tensors(made) | {"lyric_aligner.weight": torch.zeros(2)}, tmp_path / TURBO, 1)
    assert_same_weights(load(tmp_path), made)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path)
    weights = tmp_path / TURBO / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(EngineUnavailable, match=r"model\.safetensors: not a whole safetensors file"):
        load(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path, shards=3)
    (tmp_path / TURBO / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(EngineUnavailable, match=r"1 of 3 shards missing: model-00002-of-00003\.safetensors"):
        load(tmp_path)


def test_a_shard_elsewhere_is_refused(tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path, shards=2)
    index = tmp_path / TURBO / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(EngineUnavailable, match=r"must name \.safetensors files beside it"):
        load(tmp_path)


class Hostile:
    """What a pickle can hold: an order to write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


def test_a_silence_that_is_a_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path)
    torch.save(Hostile(tmp_path / "broken-in"), tmp_path / TURBO / "silence_latent.pt")
    with pytest.raises(EngineUnavailable, match=r"silence_latent\.pt: not a file of bare tensors"):
        load(tmp_path)
    assert not (tmp_path / "broken-in").exists()


@pytest.mark.parametrize(
    ("silence", "said"),
    [
        (None, "silence_latent.pt is missing"),
        (torch.zeros(1, 3, 15_000), r"the silence is \[1, 3, 15000\] instead of \[1, 8, 750 or more\]"),
        (torch.zeros(8), r"one tensor \[1, 8, frames\] is wanted"),
    ],
    ids=["absent", "too narrow", "flat"],
)
def test_a_silence_that_does_not_fit_is_said(silence: torch.Tensor | None, said: str, tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path)
    file = tmp_path / TURBO / "silence_latent.pt"
    file.unlink()
    if silence is not None:
        torch.save(silence, file)
    with pytest.raises(EngineUnavailable, match=said):
        load(tmp_path)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    TURBO_MODEL.save_checkpoints(tmp_path)
    weights = tmp_path / TURBO / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    found = look(tmp_path)
    assert found.models == ()
    with pytest.raises(EngineUnavailable, match="no weights of acestep-v15-turbo"):
        found.model("")


def test_a_diffusers_folder_without_the_code_parts_still_loads(tmp_path: Path) -> None:
    made = TURBO_MODEL
    pipeline = made.pipeline()
    older = AceStepPipeline(
        **{part: getattr(pipeline, part) for part in ("vae", "text_encoder", "tokenizer", "transformer")},
        condition_encoder=pipeline.condition_encoder,
        scheduler=pipeline.scheduler,
    )
    older.save_pretrained(tmp_path / TURBO)
    loaded = load(tmp_path)
    assert loaded.audio_tokenizer is None
    assert loaded.audio_token_detokenizer is None
    assert torch.equal(loaded.transformer.scale_shift_table, made.transformer.scale_shift_table)
