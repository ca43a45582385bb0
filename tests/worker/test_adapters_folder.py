"""Can a job wear an adapter of the worker's folder, by its name, and no other job with it?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from handler_studio import Studio
from structlog.testing import capture_logs

from acestep_serverless.assembly.adapters import stock
from acestep_serverless.engines.extras import Adapter
from acestep_serverless.errors import FieldProblem, InputError, SettingsError


@dataclass
class NamesOnly:
    """A shelf for adapters whose files begin with "lora"."""

    worn: dict[str, Adapter] = field(default_factory=dict)

    def load(self, path: Path, name: str) -> Adapter:
        file = path / "adapter_model.safetensors" if path.is_dir() else path
        if not file.read_bytes().startswith(b"lora"):
            raise InputError([FieldProblem("lora_path", path.name, "must hold an adapter")])
        self.worn[name] = Adapter(name, True, 1.0)
        return self.worn[name]

    def unload(self) -> None:
        self.worn.clear()

    def switch(self, *, active: bool) -> None:
        self.worn = {name: Adapter(name, active, one.scale) for name, one in self.worn.items()}

    def scale(self, name: str | None, scale: float) -> None:
        self.worn = {known: Adapter(known, one.active, scale) for known, one in self.worn.items()}

    def list(self) -> Sequence[Adapter]:
        return tuple(self.worn.values())


@pytest.fixture
def able(studio: Studio) -> Studio:
    studio.engine.adapters = NamesOnly()  # type: ignore[assignment]  # the engine of the tests has none by itself
    studio.engine.uses = frozenset({"lora", "lora_scale"})
    return studio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "adapters"
    (folder / "choir").mkdir(parents=True)
    (folder / "choir" / "adapter_model.safetensors").write_bytes(b"lora choir")
    (folder / "my-voice.safetensors").write_bytes(b"lora voice")
    (folder / "notes.txt").write_bytes(b"not one")
    (folder / ".hidden").write_bytes(b"lora")
    (folder / "elsewhere.safetensors").symlink_to(tmp_path / "adapters" / "my-voice.safetensors")
    return folder


async def test_a_job_wears_the_adapter_that_it_names_and_another_job_none(able: Studio, folder: Path) -> None:
    with capture_logs() as logs:
        stock(able.engine, folder)
    assert [(one.name, one.active) for one in able.engine.adapters.list()] == [("choir", False), ("my-voice", False)]
    assert sorted(entry["adapter"] for entry in logs) == [".hidden", "elsewhere.safetensors", "notes.txt"]
    for given in ({"lora": "my-voice", "lora_scale": 0.5}, {}):
        assert "error" not in await able.ask({"caption": "x", "duration": 1, **given})
    worn = [(request.sampling.lora, request.sampling.lora_scale) for request in able.engine.requests]
    assert worn == [("my-voice", 0.5), ("", 1.0)]


async def test_an_adapter_that_is_not_there_is_refused_with_those_that_are(able: Studio, folder: Path) -> None:
    stock(able.engine, folder)
    output = await able.ask({"caption": "x", "duration": 1, "lora": "elsewhere"})
    assert str(output["error"]).startswith("lora: must be a loaded adapter: choir, my-voice")


def test_without_a_folder_nothing_is_loaded_and_a_wrong_one_is_said(able: Studio, tmp_path: Path) -> None:
    stock(able.engine, None)
    assert able.engine.adapters.list() == ()
    with pytest.raises(SettingsError, match="adapters_dir: must be a folder"):
        stock(able.engine, tmp_path / "nowhere")


def test_an_engine_that_wears_none_says_so_and_goes_on(studio: Studio, folder: Path) -> None:
    with capture_logs() as logs:
        stock(studio.engine, folder)
    assert "wears no adapters" in logs[0]["event"]
