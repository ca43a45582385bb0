"""How is a song made without a server? The handler over an in-process ACE-Step API, its files into a folder."""

import asyncio
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from acestep_serverless.assembly.adapters import stock
from acestep_serverless.assembly.api import build_api, client_in_process
from acestep_serverless.assembly.engine import build_engine
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.contract.music_output import error_output
from acestep_serverless.errors import InputError
from acestep_serverless.outbound.fetching import Fetcher
from acestep_serverless.settings import Settings
from acestep_serverless.worker.delivery import FolderSink
from acestep_serverless.worker.handler import handle
from acestep_serverless.worker.sources import Sources

Report = Callable[[Mapping[str, object]], None]


def generate_song(settings: Settings, wish: Mapping[str, object], folder: Path, report: Report) -> dict[str, object]:
    """Make the songs of a handler input (`wish`) and return the handler's output, its `file` values paths in
    `folder`."""
    try:
        parse_music_input(dict(wish))
    except InputError as error:
        return error_output(str(error))  # Said before an engine is loaded, which takes seconds.
    engine = build_engine(settings)
    engine.load(lambda fraction, stage: report({"progress": 0.0, "stage": stage}))
    stock(engine, settings.adapters_dir)
    job = {"id": f"generate-{uuid.uuid4()}", "input": {"poll_interval": 1, **wish}}

    async def make(songs: Path) -> dict[str, object]:
        app = build_api(engine, songs)
        try:
            return await handle(
                job,
                acestep=client_in_process(app),
                artifacts=FolderSink(folder, f"song-{uuid.uuid4().hex[:8]}"),
                report=report,
                clock=SYSTEM_CLOCK,
                scratch=songs,
                sources=Sources(Fetcher(allow_private=settings.source_private)),
            )
        finally:
            await asyncio.to_thread(app.state.tasks.stop)

    with tempfile.TemporaryDirectory(prefix="acestep-serverless-") as songs:
        return asyncio.run(make(Path(songs)))
