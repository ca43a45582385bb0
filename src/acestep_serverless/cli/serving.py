"""What do `serve` and `worker` say and need? Where the endpoint is, how to try it, and for whom a worker works."""

from collections.abc import MutableMapping

from rich.console import Console

from acestep_serverless.assembly.serve import curl_line, data_folder
from acestep_serverless.errors import SettingsError
from acestep_serverless.settings import Settings

OUT = Console(highlight=False, soft_wrap=True)


def announce_serve(url: str, settings: Settings) -> None:
    """Say where the endpoint is and how to try it."""
    keys = "client keys are set" if settings.api_keys else "no key is set: only programs on this machine are answered"
    OUT.print(f"acestep-serverless serves endpoint '{settings.endpoint_id}' at {url} ({keys})")
    OUT.print(f"data in {data_folder(settings)}, {settings.workers} worker(s); Ctrl-C ends everything. Try:\n")
    OUT.print(f"  {curl_line(url, settings)}\n", markup=False)


def run_worker_command(settings: Settings, environ: MutableMapping[str, str]) -> None:
    """Run a worker for a gateway elsewhere. Raises SettingsError when it has neither gateway nor platform."""
    from acestep_serverless.assembly.worker import run_alone
    from acestep_serverless.worker.sdk import on_runpod

    if not settings.gateway and not on_runpod(environ):
        raise SettingsError(
            "name the gateway to work for: --gateway http://HOST:PORT --key <content of worker.key in its data folder>"
        )
    run_alone(settings, environ)
