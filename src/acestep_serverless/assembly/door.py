"""Who may come in? A gateway that others can reach needs a key before it listens; one on loopback may go without.

Asked by the parent of a gateway, so the database's packages are imported only where they are needed.
"""

import httpx

from acestep_serverless.errors import SettingsError, Unavailable
from acestep_serverless.settings import LOOPBACK_HOSTS, PREFIX, Settings


def refuse_strangers(settings: Settings) -> None:
    """Raise SettingsError for a gateway that others could reach and that has no key. Nothing is made by asking; a
    database that does not answer yet is left to the gateway core, which asks again."""
    if settings.host in LOOPBACK_HOSTS or settings.api_keys:
        return
    from acestep_serverless.assembly.office import key_was_made

    try:
        closed = key_was_made(settings)
    except Unavailable:
        return
    if not closed:
        raise SettingsError(needs_key(settings.host))


def needs_key(host: str) -> str:
    """Say what to do about a gateway without a key that is to listen on `host`."""
    return (
        f"listening on {host} needs a key: make one with 'acestep-serverless keys create', set {PREFIX}API_KEYS, or "
        "leave the host at 127.0.0.1"
    )


def asks_for_key(url: str, endpoint_id: str) -> bool:
    """Tell whether a running gateway wants a key from its clients, by asking it without one."""
    try:
        return httpx.get(f"{url}/v2/{endpoint_id}/health", timeout=5, trust_env=False).status_code == 401
    except httpx.HTTPError:
        return False
