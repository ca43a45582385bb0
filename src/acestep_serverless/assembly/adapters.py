"""Which adapters can the jobs of a worker name? All of a folder, loaded before the first job, and none worn unasked."""

from collections.abc import Iterator
from pathlib import Path

import structlog

from acestep_serverless.contract.music_fields import NAME
from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import EngineError, InputError, SettingsError

_log = structlog.get_logger(__name__)


def stock(engine: Engine, folder: Path | None) -> None:
    """Load every adapter of a folder into a loaded engine under its file's name without the suffix; a job wears the one
    that it names. What is no adapter for this engine is left out, and the log says why. Raises SettingsError for a
    folder that is none."""
    if folder is None:
        return
    if not folder.is_dir():
        raise SettingsError(f"adapters_dir: must be a folder, got {folder}")
    if engine.adapters is None:
        _log.warning("the engine wears no adapters: those of adapters_dir are not loaded", engine=engine.name)
        return
    for name, path in _adapters_in(folder):
        try:
            engine.adapters.load(path, name)
        except (InputError, EngineError, OSError) as error:
            _log.warning("an adapter is left out", adapter=path.name, reason=str(error))
    if engine.adapters.list():
        engine.adapters.switch(active=False)


def _adapters_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files and folders that a job could name, in the order of their names; links lead elsewhere and are none."""
    for path in sorted(folder.iterdir()):
        name = path.name if path.is_dir() else path.stem
        if path.is_symlink() or NAME.fullmatch(name) is None:
            _log.warning("an adapter is left out", adapter=path.name, reason="it is a link, or no job could name it")
        else:
            yield name, path
