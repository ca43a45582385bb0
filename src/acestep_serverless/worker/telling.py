"""How does a gateway learn what this worker's engine can do? It is told once, before the first job is asked for.

No part of the Runpod protocol: a worker that does not tell is taken to do everything, and its jobs are judged by its
own handler in either case. So a gateway that does not listen keeps no worker from its work.
"""

import asyncio
from collections.abc import Callable

import httpx
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.contract.abilities import Abilities, statement
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.worker.delivery import gateway_client
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.patience import Patience, deliver

SHORT = Patience(total=10.0)
"""A worker enrolled a moment ago, so its gateway was up; a core that has died is back after about a second."""
_log = structlog.get_logger(__name__)


def tell_abilities(
    link: GatewayLink,
    abilities: Abilities,
    clock: Clock,
    *,
    connect: Callable[[], httpx.AsyncClient] = gateway_client,
    patience: Patience = SHORT,
) -> bool:
    """Tell the gateway of `link`; False, with a line in the log, where it does not take it. Blocks, and runs an event
    loop of its own: call it before the SDK's."""

    async def tell() -> None:
        async with connect() as http:

            async def send() -> httpx.Response:
                return await http.put(link.abilities_url(), json=statement(abilities))

            await deliver(send, what="what this engine can do", patience=patience, clock=clock)

    try:
        asyncio.run(tell())
    except AcestepServerlessError as error:
        _log.warning("the gateway takes this worker to do everything: it was not told", reason=str(error))
        return False
    return True
