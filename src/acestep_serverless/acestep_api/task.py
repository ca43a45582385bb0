"""What is a task? One generation, from its order to its songs: an immutable record that each move replaces."""

from dataclasses import dataclass, field
from enum import Enum
from threading import Event

from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.engines.base import Analysis, SongMetas

HIGHEST_ACTIVE = 0.99
"""The largest progress of a task that is not final."""


class State(Enum):
    """Where a task is; the value is its word in answers."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({State.QUEUED, State.RUNNING})
FINAL = frozenset(State) - ACTIVE


@dataclass(frozen=True, slots=True)
class StoredSide:
    """A file beside a song, in the same folder and as long as it: `kind` is a name of contract/media.py's SIDE_FILES,
    `size` in bytes."""

    kind: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredSong:
    """One finished song and its file: `name` in the audio folder, `size` in bytes, `seconds` as delivered.

    `model` and `language_model` name what made it; the second is "" when none took part.
    """

    name: str
    size: int
    sha256: str
    media_type: str
    seconds: float
    sample_rate: int
    seed: int
    caption: str
    lyrics: str
    metas: SongMetas
    warnings: tuple[str, ...]
    model: str = ""
    language_model: str = ""
    beside: tuple[StoredSide, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all its files."""
        return (self.name, *(side.name for side in self.beside))


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One generation. `stop` is shared by all versions of the record: once set, engine and encoder give up.

    `engine` is the name of the engine that the order was checked for, `number` counts the tasks as they come, `starts`
    how often the task was begun, `company` how many tasks were begun with it, itself included.
    """

    task_id: str
    order: Order
    created_ms: int
    number: int = 0
    engine: str = ""
    state: State = State.QUEUED
    progress: float = 0.0
    stage: str = State.QUEUED.value
    error: str | None = None
    songs: tuple[StoredSong, ...] = ()
    analysis: Analysis | None = None
    finished_ms: int = 0
    running_since: float = 0.0
    running_seconds: float = 0.0
    starts: int = 0
    company: int = 1
    stop: Event = field(default_factory=Event)
