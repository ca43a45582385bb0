"""What may an engine do beside songs? Write words with its language model, and wear adapters (LoRA).

An engine that has neither says None for both; the server then refuses what needs them, with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acestep_serverless.engines.base import Cancelled, Planning


@dataclass(frozen=True, slots=True)
class SongText:
    """The words and metas of a song to be made. "" and None: not known; duration in seconds."""

    caption: str
    lyrics: str
    bpm: int | None = None
    duration: float | None = None
    key_scale: str = ""
    time_signature: str = ""
    vocal_language: str = "unknown"
    instrumental: bool = False


class WordMaker(Protocol):
    """A language model that writes a song's words. Called from one thread at a time; may take seconds."""

    def invent(self, query: str, vocal_language: str, planning: Planning, cancelled: Cancelled) -> SongText:
        """Invent a song from a description in free words, "" for any. Raises GenerationCancelled or EngineError."""
        ...

    def polish(self, given: SongText, planning: Planning, cancelled: Cancelled) -> SongText:
        """Rewrite caption and lyrics in the model's own terms and fill in the metas that are open; given ones win.

        Raises GenerationCancelled or EngineError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Adapter:
    """One loaded adapter: its name, whether it takes part, and how strongly (0.0 to 1.0)."""

    name: str
    active: bool
    scale: float


class AdapterShelf(Protocol):
    """The adapters of an engine. Every change takes effect with the next task."""

    def load(self, path: Path, name: str) -> Adapter:
        """Load an adapter (safetensors) under a name. Raises InputError (no adapter, or none for this model)."""
        ...

    def unload(self) -> None:
        """Take all adapters off the model."""
        ...

    def switch(self, *, active: bool) -> None:
        """Let the adapters take part in songs, or not."""
        ...

    def scale(self, name: str | None, scale: float) -> None:
        """Set how strongly an adapter (None: each) takes part, 0.0 to 1.0. Raises InputError for an unknown name."""
        ...

    def list(self) -> Sequence[Adapter]:
        """List what is loaded."""
        ...
