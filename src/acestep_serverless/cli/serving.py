"""What do `serve` and `worker` say and need? Where the endpoint is, how to try it, and for whom a worker works."""

import difflib
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from rich.console import Console

from acestep_serverless.assembly.crew import most_workers
from acestep_serverless.assembly.door import asks_for_key
from acestep_serverless.assembly.serve import curl_line, data_folder
from acestep_serverless.cli.words import say
from acestep_serverless.client.address import ID_VARIABLE, KEY_VARIABLE, URL_VARIABLE
from acestep_serverless.errors import SettingsError
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import CONFIG_VARIABLE, PREFIX, Settings

OUT = Console(highlight=False, soft_wrap=True)


OTHER_VARIABLES = (CONFIG_VARIABLE, URL_VARIABLE, ID_VARIABLE, KEY_VARIABLE)
"""Variables with the prefix of the settings that are read by others."""


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Say which variables look like settings and are none: a misspelt one would have no effect, in silence."""
    known = [*(f"{PREFIX}{name.upper()}" for name in Settings.model_fields), *OTHER_VARIABLES]
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    nearest = {name: difflib.get_close_matches(name, known, n=1) for name in unknown}
    return [
        f"the variable {name} is no setting{''.join(f'; did you mean {near}?' for near in nearest[name])}"
        for name in unknown
    ]


def note_unknown_variables(environ: Mapping[str, str]) -> None:
    """Note each of `unknown_variables` on standard error. They end nothing: Kubernetes makes such names of its own."""
    for sentence in unknown_variables(environ):
        say(f"note: {sentence}", aside=True)


def announce_serve(url: str, settings: Settings) -> None:
    """Say where the endpoint is and how to try it."""
    closed = asks_for_key(url, settings.endpoint_id)
    keys = "clients need a key" if closed else "no key is set: only programs on this machine are answered"
    OUT.print(f"acestep-serverless serves endpoint '{settings.endpoint_id}' at {url} ({keys})")
    if closed and not settings.api_keys:
        OUT.print(
            "Keys were made for this data folder: 'acestep-serverless keys list' names them, 'keys create' makes one"
        )
    OUT.print(f"data in {data_folder(settings)}, {workers_in_words(settings)}; Ctrl-C ends everything. Try:\n")
    OUT.print(f"  {curl_line(url, settings, needs_key=closed)}\n", markup=False)


def workers_in_words(settings: Settings) -> str:
    """Say how many workers an endpoint has here: "1 worker", "0 to 2 workers"."""
    least, most = settings.workers, most_workers(settings)
    return f"{least} worker{'' if least == 1 else 's'}" if least == most else f"{least} to {most} workers"


def worker_key_from(key: str | None, key_file: Path | None) -> str | None:
    """Return the worker key that flags give; None when none does. Raises SettingsError when both do, and for a file
    that cannot be read or holds no key."""
    if key_file is None:
        return key
    if key is not None:
        raise SettingsError("--key and --key-file both name the worker key: give one of them")
    try:
        text = key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"--key-file {key_file} cannot be read: {reason}") from None
    if not text:
        raise SettingsError(f"--key-file {key_file} is empty; it should hold the worker key")
    return text


def run_worker_command(settings: Settings, environ: MutableMapping[str, str]) -> None:
    """Run workers for a gateway elsewhere, or the platform's worker. Raises SettingsError when neither is named."""
    from acestep_serverless.assembly.crew import run_crew
    from acestep_serverless.assembly.worker import main_on_runpod, new_worker_id
    from acestep_serverless.worker.sdk import on_runpod

    if on_runpod(environ):
        main_on_runpod()
        return
    if not settings.gateway:
        raise SettingsError(
            "name the gateway to work for: --gateway http://HOST:PORT --key-file <copy of its data folder's worker.key>"
        )
    if not settings.worker_key.get_secret_value():
        raise SettingsError(
            "the worker key is missing: name a copy of worker.key in the gateway's data folder with --key-file, or set "
            f"{PREFIX}WORKER_KEY to its content"
        )
    note_unknown_variables(environ)
    configure_logs(settings.log_level, json_lines=settings.log_json)
    OUT.print(f"working for endpoint '{settings.endpoint_id}' of {settings.gateway}; Ctrl-C ends", markup=False)
    run_crew(settings, new_worker_id)
