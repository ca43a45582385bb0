"""Which tools does an agent see? Their names, words and schemas; fields of songs are those of the contract's table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acestep_serverless.contract.job import JobState
from acestep_serverless.contract.music_fields import SPECS
from acestep_serverless.contract.music_schema import input_schema
from acestep_serverless.contract.music_tasks import TASKS

DEFAULT_WAIT = 50.0
"""Seconds that a call waits unless told otherwise: many clients give up after a minute."""
LONGEST_WAIT = 3_600.0

HANDLERS_OWN = frozenset(
    {"timeout_seconds", "poll_interval", "return_audio_base64", "max_base64_bytes", "use_random_seed"}
)
"""Fields about the transport of a job, which the tools see to themselves."""

_OF_SCHEMA = frozenset({"description", "type", "minimum", "maximum", "enum", "default", "items", "examples", "pattern"})

WAIT = {
    "type": "number",
    "minimum": 0,
    "maximum": LONGEST_WAIT,
    "default": DEFAULT_WAIT,
    "description": "How many seconds to wait for the songs; a job that is not finished by then goes on",
}
JOB = {"type": "string", "minLength": 1, "maxLength": 200, "description": "Id of a job, as a tool has told it"}
SONG_NUMBER = {"type": "integer", "minimum": 1, "maximum": 8, "default": 1, "description": "Which song of the job"}

TEXT_OR_NULL = {"type": ["string", "null"]}
SONG = {
    "type": "object",
    "properties": {
        "song": {"type": "integer", "description": "Number of the song in its job, from 1"},
        "file": {"type": "string", "description": "Name of the file at the endpoint"},
        "seconds": {"type": ["number", "null"]},
        "seed": {"type": ["integer", "null"], "description": "The seed that makes this song again"},
        "engine": {
            "type": "string",
            "description": "What made the sound: acestep is the model, sketch a band without one",
        },
        "prompt": {"type": "string"},
        "lyrics": {"type": "string"},
        "metas": {"type": "object", "description": "Tempo, key, meter and genre of the song"},
        "content_type": {"type": "string"},
    },
    "required": ["song", "file"],
}
STATE = {
    "type": "object",
    "properties": {
        "job": {"type": "string"},
        "state": {"type": "string", "description": f"One of {', '.join(JobState)}"},
        "progress": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "stage": TEXT_OR_NULL,
        "error": TEXT_OR_NULL,
        "songs": {"type": "array", "items": SONG},
        "findings": {"type": "array", "items": {"type": "object"}, "description": "Results of an analysis"},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "next": {"type": "string", "description": "What can be done now"},
    },
    "required": ["job", "state", "songs", "next"],
}
FILES = {
    "type": "object",
    "properties": {"job": {"type": "string"}, "files": {"type": "array", "items": {"type": "string"}}},
    "required": ["job", "files"],
}
JOBS = {
    "type": "object",
    "properties": {"jobs": {"type": "array", "items": STATE}},
    "required": ["jobs"],
}


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool. `properties` and `required` are those of its input, `output` is the schema of its structured answer."""

    name: str
    title: str
    description: str
    properties: Mapping[str, Any]
    output: Mapping[str, Any]
    required: tuple[str, ...] = ()
    read_only: bool = False
    destructive: bool = False
    hints: Mapping[str, bool] = field(default_factory=dict)

    @property
    def schema(self) -> dict[str, Any]:
        """The input's schema."""
        shape = {"type": "object", "properties": dict(self.properties), "additionalProperties": False}
        return {**shape, "required": list(self.required)} if self.required else shape


def _music_fields(*without: str) -> dict[str, Any]:
    properties = input_schema()["properties"]
    return {name: _plain(properties[name]) for name in SPECS if name not in HANDLERS_OWN and name not in without}


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """A field's schema without our own members and without null, which a model need not think of."""
    kept = {name: value for name, value in said.items() if name in _OF_SCHEMA}
    kinds = [kind for kind in kept.get("type", []) if kind != "null"]
    kept["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "enum" in kept:
        kept["enum"] = [word for word in kept["enum"] if word is not None]
    return kept


_EDITS = [task.name for task in TASKS.values() if task.source]

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "generate_song",
        "Make songs",
        "Make one or more songs from a caption (style, instruments, mood) and, for singing, lyrics with sections such "
        "as [Verse] and [Chorus]. Answers with the finished songs, or with a job to follow when they take longer than "
        "wait_seconds. Save them with fetch_songs.",
        {**_music_fields("src_audio"), "wait_seconds": WAIT},
        STATE,
        hints={"openWorld": True},
    ),
    ToolSpec(
        "edit_song",
        "Change a song",
        "Work on a song that exists: repaint a span of it (repainting_start to repainting_end, in seconds), cover it "
        "in another style, extract or add tracks. Name an earlier job (and which of its songs), or give src_audio: an "
        "https URL or base64. Whether the engine can do a task, its error says.",
        {
            "job": {**JOB, "description": "Id of the finished job whose song is worked on"},
            "song": SONG_NUMBER,
            **_music_fields(),
            "task_type": {"type": "string", "enum": _EDITS, "description": "What to do with the song"},
            "wait_seconds": WAIT,
        },
        STATE,
        required=("task_type",),
        hints={"openWorld": True},
    ),
    ToolSpec(
        "follow_job",
        "Follow a job",
        "Wait for a job, or look at it at once with wait_seconds 0: its state, its progress and, when it has ended, "
        "its songs.",
        {"job": JOB, "wait_seconds": WAIT},
        STATE,
        required=("job",),
        read_only=True,
    ),
    ToolSpec(
        "fetch_songs",
        "Save songs",
        "Save the songs of a finished job as files in the output folder of this server, and give their paths. With "
        "inline the audio itself is in the answer, too, up to 8 MB.",
        {
            "job": JOB,
            "name": {
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$",
                "description": "Name of the files without suffix; the job's id unless given",
            },
            "overwrite": {"type": "boolean", "default": False, "description": "Replace other files of that name"},
            "inline": {"type": "boolean", "default": False, "description": "Put the audio itself into the answer"},
        },
        FILES,
        required=("job",),
        hints={"idempotent": True},
    ),
    ToolSpec(
        "cancel_job",
        "Cancel a job",
        "Cancel a job that waits or runs. One that has ended stays as it is.",
        {"job": JOB},
        STATE,
        required=("job",),
        destructive=True,
        hints={"idempotent": True},
    ),
    ToolSpec(
        "list_jobs",
        "List jobs",
        "List the latest jobs of the endpoint, newest first, without their songs. Runpod's endpoints list none.",
        {
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "description": "How many"},
            "state": {
                "type": "string",
                "enum": [state.value for state in JobState],
                "description": "Only those in this state",
            },
        },
        JOBS,
        read_only=True,
    ),
)
"""Every tool, in the order in which an agent needs them."""

SPEC_OF: Mapping[str, ToolSpec] = {tool.name: tool for tool in TOOLS}
