"""Does docs/engines.md say what the engines can? Its limits and tables are compared with their declarations."""

import ast

from documents import read, table

from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.engines import ENGINE_NAMES
from acestep_serverless.engines.sketch.engine import LIMITS, SketchEngine

PAGE = "docs/engines.md"
MODEL = "src/acestep_serverless/engines/acestep/engine.py"


def declared() -> dict[str, set[str]]:
    """The model engine's sets of words, read without importing it: it needs torch."""
    found = {}
    for node in ast.parse(read(MODEL)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            found[node.targets[0].id] = {word for text in texts if isinstance(text, str) for word in text.split()}
    return found


def test_the_limits_are_those_of_both_engines() -> None:
    rows = {row[0]: row[1:] for row in table(PAGE, "Engine")}
    assert rows["length of a song"] == [f"{LIMITS.shortest:g} to {LIMITS.longest:g} s"] * 2
    assert rows["songs in one job"] == [f"1 to {LIMITS.largest_batch}"] * 2
    assert rows["reads of the caption"] == [f"{LIMITS.caption_characters} characters"] * 2
    assert rows["reads of the lyrics"] == [f"{LIMITS.lyrics_characters:,} characters"] * 2
    same = f"{LIMITS.caption_characters}, {LIMITS.lyrics_characters}"
    assert "_LONGEST, _LARGEST_BATCH = 600.0, 8" in read(MODEL)
    assert f"EngineLimits({LIMITS.shortest}, _LONGEST, _LARGEST_BATCH, {same}" in read(MODEL)


def test_the_table_of_work_is_what_the_engines_declare() -> None:
    sketch, model = SketchEngine.task_types, declared()
    rows = table(PAGE, "Work (`task_type`)")
    assert [row[0].strip("`") for row in rows] == list(TASKS)
    for name, of_sketch, of_model in rows:
        word = name.strip("`")
        assert of_sketch == ("yes" if word in sketch else "no")
        guided = word in model["_GUIDED_MODELS"]
        assert of_model == ("with a guided model (base, sft)" if guided else "yes")
        assert guided or word in model["_EVERY_MODEL"]


def test_the_table_of_help_is_what_the_engines_use() -> None:
    model = declared()
    for names, of_sketch, of_model in table(PAGE, "Help"):
        for name in names.replace("`", "").split(", "):
            word = "reference_audio_path" if name == "reference_audio" else name
            assert (word in SketchEngine.uses) == (of_sketch == "yes"), name
            assert word in model["_PLANNER_USES" if of_model == "with a planner" else "_MODEL_USES"], name


def test_every_engine_is_on_the_page() -> None:
    assert all(f"`{name}`" in read(PAGE) for name in ENGINE_NAMES)
