"""Which kinds of work are there, and what does each need? The task types with their needs and their instructions.

The instruction is the text by which a model knows its task. Upstream's server of February 2026 never fills in the
name of a track, so whoever drives it sends the whole sentence; newer servers fill in the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class TaskType:
    """One task type. `source`: works on given audio; `codes`: audio codes will do instead; `caption`: needs words.

    `named` is the instruction with a place for what `track_name` or `track_classes` say, `unnamed` the one without.
    """

    name: str
    unnamed: str
    named: str = ""
    source: bool = True
    codes: bool = False
    caption: bool = True


_COVER = "Generate audio semantic tokens based on the given conditions:"

TASKS: Mapping[str, TaskType] = MappingProxyType(
    {
        task.name: task
        for task in (
            TaskType("text2music", "Fill the audio semantic mask based on the given conditions:", source=False),
            TaskType("cover", _COVER, codes=True),
            TaskType("cover-nofsq", _COVER),
            TaskType("repaint", "Repaint the mask area based on the given conditions:"),
            TaskType(
                "lego",
                "Generate the track based on the audio context:",
                "Generate the {} track based on the audio context:",
            ),
            TaskType(
                "extract",
                "Extract the track from the audio:",
                "Extract the {} track from the audio:",
                caption=False,
            ),
            TaskType("complete", "Complete the input track:", "Complete the input track with {}:"),
        )
    }
)
"""Every task type of the REST API by its name; the templates are the model's own words."""


def track_instruction(task_type: str, track_name: str, track_classes: Sequence[str]) -> str | None:
    """Spell the whole instruction of a task that is about tracks; None for the other tasks.

    Names are written in capitals and several joined with " | ", as the model has learnt them.
    """
    task = TASKS[task_type]
    if not task.named:
        return None
    names = track_classes if task_type == "complete" else [track_name]
    tracks = " | ".join(name.strip().upper() for name in names if name.strip())
    return task.named.format(tracks) if tracks else task.unnamed
