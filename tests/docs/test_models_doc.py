"""Does docs/models.md say what the code knows? The published models, what fits on which card, the settings' choices."""

import re

from documents import commands, read, table

from acestep_serverless.assembly.engine import POD_VOLUME, RUNPOD_VOLUME
from acestep_serverless.assembly.weights import models_list
from acestep_serverless.engines.acestep.choosing import published_burden
from acestep_serverless.engines.acestep.placement import GIB, Gpu, Machine, place
from acestep_serverless.engines.acestep.published import CATALOGUE
from acestep_serverless.engines.acestep.search import RUNPOD_CACHE, VOLUME_FOLDERS
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.settings import Settings

PAGE = "docs/models.md"
CARDS = (8, 12, 16, 24, 32)
MODELS = ("acestep-v15-turbo", "acestep-v15-base", "acestep-v15-xl-turbo", "acestep-v15-xl-base")


def fitting(name: str, gigabytes: int) -> str:
    size = gigabytes * GIB
    card = Gpu("a card", size, int(size * 0.97), (8, 6))
    placed = place(Machine((card,), 64 * GIB, 8, False), published_burden(name), EngineOptions())
    how = "on the CPU" if placed.device == "cpu" else "in parts" if placed.offload == "parts" else "whole"
    return f"{how}, planner {placed.planner.removeprefix('acestep-5Hz-lm-') or 'none'}, {placed.songs_together}"


def test_every_published_model_has_its_row() -> None:
    known = [
        [f"`{row['name']}`", str(row["kind"]), f"`{row['repository']}`", f"{row['bytes'] / 1e9:.1f} GB", row["about"]]
        for row in models_list(Settings.load(), {})
        if isinstance(row["bytes"], int) and row["name"] in CATALOGUE
    ]
    assert table(PAGE, "Model") == known


def test_what_fits_is_what_is_computed() -> None:
    assert table(PAGE, "GPU memory") == [
        [f"`{name}`", *(fitting(name, gigabytes) for gigabytes in CARDS)] for name in MODELS
    ]
    assert "computed from the shapes, not measured on such cards" in read(PAGE)


def test_the_places_are_those_of_the_search() -> None:
    text = read(PAGE)
    assert f"`{RUNPOD_VOLUME / RUNPOD_CACHE}`" in text
    for name in VOLUME_FOLDERS:
        assert f"`{RUNPOD_VOLUME / name}`" in text
    assert f"`{POD_VOLUME}`" in text


def test_the_choices_are_settings() -> None:
    chosen = [row[0].strip("`") for row in table(PAGE, "Setting")]
    assert set(chosen) == {"device", "precision", "offload", "planner", "compile"}
    assert set(chosen) <= set(Settings.model_fields)


def test_its_commands_name_what_there_is() -> None:
    named = re.findall(r"acestep-\S+", " ".join(line for line in commands(PAGE) if "models download" in line))
    assert set(named) - {"acestep-serverless"} <= set(CATALOGUE)
