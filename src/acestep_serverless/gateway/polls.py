"""How is a request held open until there is something to say? Look, wait for a bell, look again, until the time is
over."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

from acestep_serverless.database.wakeup import Wakeup, wait_for_bell
from acestep_serverless.gateway.parts import Parts

Found = TypeVar("Found")


async def hold(
    parts: Parts,
    request: Request,
    topic: str,
    look: Callable[[], Awaitable[Found | None]],
    seconds: float,
    look_again: float | None = None,
    begin: Callable[[], Awaitable[object]] | None = None,
) -> Found | None:
    """Wait up to `seconds` for `look` to find something; None when the time is over, the asker left or we are closing.

    Without a bell it looks every `look_again` seconds, by default those of the gateway's rules. The asker's presence is
    checked right before each look, so that a job is not handed to a worker that has gone. `begin` is done first, once
    somebody listens: what it makes is new, so there is nothing to look at before a bell.
    """
    wakeup: Wakeup = parts.wakeup
    between = parts.rules.look_again if look_again is None else look_again
    deadline = parts.clock.monotonic() + seconds
    with wakeup.listen(topic) as bell:
        if begin is not None:
            await begin()
            await wait_for_bell(bell, min(max(0.0, deadline - parts.clock.monotonic()), between))
        while True:
            if await request.is_disconnected():
                return None
            found = await look()
            left = deadline - parts.clock.monotonic()
            if found is not None or left <= 0 or wakeup.closed:
                return found
            await wait_for_bell(bell, min(left, between))
