"""How does a command get its endpoint? The one that flags or variables name, or one in this process."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from acestep_serverless.client import Access, AsyncClient, access_from
from acestep_serverless.client.address import URL_VARIABLE, checked_key
from acestep_serverless.client.makes import MakesSongs
from acestep_serverless.errors import FieldProblem, InputError, SettingsError
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
        from acestep_serverless.assembly.local import open_local  # the server's packages, which no endpoint needs

        async with open_local(settings(), loading) as local:
            if eager:
                await local.open()
            yield local
        return
    async with AsyncClient(access) as client:
        yield client


def here(
    endpoint: str | None,
    endpoint_id: str | None,
    key_file: Path | None,
    engine: str | None,
    settings: Callable[[], Settings],
) -> AbstractAsyncContextManager[MakesSongs]:
    """Open the endpoint that flags or this process's environment name, or one in this process.

    Raises InputError for an engine beside an endpoint, which has its own, and what `access_to` raises.
    """
    return open_endpoint(access_of(os.environ, endpoint, endpoint_id, key_file, engine), settings)


def access_of(
    environ: Mapping[str, str], endpoint: str | None, endpoint_id: str | None, key_file: Path | None, engine: str | None
) -> Access | None:
    """Find the endpoint that songs are made at; None for this process: neither flag nor variable names one, or an
    engine is asked for. Raises InputError for an engine beside an endpoint."""
    if engine is not None and endpoint is not None:
        allowed = "must be absent with --endpoint, which has an engine of its own"
        raise InputError([FieldProblem("--engine", engine, allowed)])
    if endpoint is None and (engine is not None or not environ.get(URL_VARIABLE)):
        return None
    return access_to(environ, endpoint, endpoint_id, key_file)
