"""Is the queue fair? Its order of turns, against a plain reading of the rule, for any callers and any batches."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from acestep_serverless.acestep_api.fair_queue import FairQueue, Waiting
from acestep_serverless.engines.base import Sharing

SHARES = (None, Sharing("short", 4), Sharing("long", 2))
ENTRIES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.sampled_from(SHARES)), min_size=1, max_size=30
)


def filled(wanted: list[tuple[str, int, Sharing | None]]) -> tuple[FairQueue, list[Waiting]]:
    queue = FairQueue()
    entries = [Waiting(str(number), *entry) for number, entry in enumerate(wanted)]
    for entry in entries:
        assert queue.add(entry) == queue.place(entry.task_id)
    return queue, entries


@given(ENTRIES)
@settings(max_examples=100, deadline=None)
def test_every_task_is_taken_once_and_a_batch_holds_only_what_fits(
    wanted: list[tuple[str, int, Sharing | None]],
) -> None:
    queue, entries = filled(wanted)
    by_id = {entry.task_id: entry for entry in entries}
    taken = []
    while len(queue):
        [next_one] = [task_id for task_id in by_id if queue.place(task_id) == 1]
        batch = [by_id[task_id] for task_id in queue.take()]
        assert batch[0].task_id == next_one
        first = batch[0].sharing
        assert all(entry.sharing == first for entry in batch)
        assert len(batch) == 1 or (first is not None and sum(entry.songs for entry in batch) <= first.songs)
        taken += batch
    assert sorted(entry.task_id for entry in taken) == sorted(by_id)
    assert queue.take() == []


@given(ENTRIES)
@settings(max_examples=100, deadline=None)
def test_whoever_goes_first_is_its_callers_oldest_and_no_caller_waits_for_two_turns_of_another(
    wanted: list[tuple[str, int, Sharing | None]],
) -> None:
    queue, entries = filled(wanted)
    waiting = {entry.task_id: entry for entry in entries}
    turns: Counter[tuple[str, str]] = Counter()
    while waiting:
        batch = queue.take()
        first = waiting[batch[0]]
        assert batch[0] == next(task_id for task_id, entry in waiting.items() if entry.caller == first.caller)
        for task_id in batch:
            del waiting[task_id]
        served = {next(entry.caller for entry in entries if entry.task_id == task_id) for task_id in batch}
        for other in {entry.caller for entry in waiting.values()} - served:
            turns[other, first.caller] += 1
            assert turns[other, first.caller] <= 1
        for caller in served:
            for pair in [pair for pair in turns if pair[0] == caller]:
                del turns[pair]


def test_what_was_taken_goes_back_before_everything_else() -> None:
    queue, entries = filled([("a", 1, None), ("a", 1, None), ("b", 1, None)])
    assert queue.take() == ["0"]
    queue.put_back(entries[0])
    assert [queue.place(entry.task_id) for entry in entries] == [1, 3, 2]


def test_who_leaves_the_queue_moves_the_others_up() -> None:
    queue, _ = filled([("a", 1, None), ("b", 1, None), ("a", 1, None)])
    assert [queue.place(str(number)) for number in range(3)] == [1, 2, 3]
    queue.remove("0")
    assert [queue.place(str(number)) for number in range(3)] == [0, 2, 1]
    assert len(queue) == 2
