"""How does a command get its endpoint? The one that flags or variables name, or one in this process."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from acestep_serverless.assembly.local import open_local
from acestep_serverless.client import Access, AsyncClient, access_from
from acestep_serverless.client.address import checked_key
from acestep_serverless.client.makes import MakesSongs
from acestep_serverless.errors import SettingsError
from acestep_serverless.settings import Settings

LONGEST_KEY = 4_096


def access_to(environ: Mapping[str, str], url: str | None, endpoint_id: str | None, key_file: Path | None) -> Access:
    """Find an endpoint and its key. Raises InputError, and SettingsError for a key file that gives no key."""
    access = access_from(environ, url, endpoint_id)
    return access if key_file is None else replace(access, key=_key_in(key_file))


def _key_in(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            key = opened.read(LONGEST_KEY).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
        raise SettingsError(f"--key-file {file} cannot be read: {reason}") from None
    if not key:
        raise SettingsError(f"--key-file {file} is empty: it must hold the key and nothing else")
    return checked_key(key)


@asynccontextmanager
async def open_endpoint(
    access: Access | None,
    settings: Callable[[], Settings],
    loading: Callable[[str], object] = lambda stage: None,
    *,
    eager: bool = False,
) -> AsyncIterator[MakesSongs]:
    """Open the endpoint of an access, or (None) one in this process over the settings' engine, which
    is loaded at once if `eager`, else for the first job. Raises EngineUnavailable, SettingsError."""
    if access is None:
        async with open_local(settings(), loading) as local:
            if eager:
                await local.open()
            yield local
        return
    async with AsyncClient(access) as client:
        yield client
