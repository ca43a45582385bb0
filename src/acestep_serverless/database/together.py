"""How do many askers share one trip to the database? What is asked while a trip is under way goes with the next one.

Under load that makes one statement, one transaction and one change of threads out of dozens; a single asker waits for
nobody. Belongs to one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from acestep_serverless.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 128
"""Items of one trip; more would only lengthen the wait of the first."""


class Together(Generic[Item, Result]):
    """Takes items on shared trips. `trip` handles a list of them and gives their results in the same order; one that
    fails must leave nothing behind, since its items are then taken one by one: a bad one spoils no other's."""

    def __init__(self, trip: Callable[[list[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._trip = trip
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._under_way: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """Take one item on the next trip; gives its result or raises its error. An asker that leaves changes nothing
        about the trip."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._travel())
        return await future

    async def _travel(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                try:
                    await self._take(group)
                finally:
                    for _, future in group:
                        future.cancel()  # Only this task's own end leaves any of them open.
        finally:
            self._under_way = None
            while self._waiting:
                self._waiting.popleft()[1].cancel()

    async def _take(self, group: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._trip([item for item, _ in group])
        except Exception as error:
            if len(group) == 1 or isinstance(error, Unavailable):
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                return
            for single in group:
                await self._take([single])
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)
