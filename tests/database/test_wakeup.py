"""Is whoever waits woken by every change, and never left asleep?"""

import asyncio

from acestep_serverless.database.wakeup import Wakeup, wait_for_bell


async def test_a_ring_wakes_every_listener_of_its_topic_and_no_other():
    wakeup = Wakeup()
    with wakeup.listen("a") as first, wakeup.listen("a") as second, wakeup.listen("b") as other:
        wakeup.ring("a", "nobody")
        assert await wait_for_bell(first, 1)
        assert await wait_for_bell(second, 1)
        assert not await wait_for_bell(other, 0)


async def test_a_ring_between_the_look_and_the_wait_is_not_lost():
    """The order of `polls.hold`: listen, look, wait. Whatever comes after `listen` ends the wait."""
    wakeup = Wakeup()
    with wakeup.listen("a") as bell:
        wakeup.ring("a")
        assert await wait_for_bell(bell, 0)
        assert not await wait_for_bell(bell, 0), "heard once"
        wakeup.ring("a")
        wakeup.ring("a")
        assert await wait_for_bell(bell, 0)


async def test_a_consumer_that_looks_after_every_bell_sees_every_change():
    wakeup, made, seen = Wakeup(), 0, 0

    async def consume():
        nonlocal seen
        with wakeup.listen("a") as bell:
            while True:
                seen = made
                if seen == 500:
                    return
                assert await wait_for_bell(bell, 5), "slept through a change"

    consumer = asyncio.create_task(consume())
    for number in range(500):
        made += 1
        wakeup.ring("a")
        if number % 3 == 0:
            await asyncio.sleep(0)
    await asyncio.wait_for(consumer, 30)


async def test_close_wakes_all_and_whoever_comes_later():
    wakeup = Wakeup()
    with wakeup.listen("a") as first, wakeup.listen("b") as second:
        wakeup.close()
        assert await wait_for_bell(first, 1)
        assert await wait_for_bell(second, 1)
    assert wakeup.closed
    with wakeup.listen("c") as later:
        assert await wait_for_bell(later, 1)


async def test_a_topic_is_forgotten_with_its_last_listener():
    wakeup = Wakeup()
    for number in range(100):
        with wakeup.listen(f"job:{number}"), wakeup.listen(f"job:{number}"):
            pass
    wakeup.ring("job:1")
    assert not wakeup._bells


async def test_a_listener_that_leaves_while_a_ring_is_under_way_disturbs_nobody():
    wakeup = Wakeup()

    async def brief(seconds):
        with wakeup.listen("a") as bell:
            await wait_for_bell(bell, seconds)

    listeners = [asyncio.create_task(brief(number / 1000)) for number in range(30)]
    for _ in range(60):
        wakeup.ring("a")
        await asyncio.sleep(0.001)
    await asyncio.gather(*listeners)
