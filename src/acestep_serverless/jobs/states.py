"""Which moves may a job make? The whole life of a job is this table; `store.move` refuses everything else.

submit --> IN_QUEUE --take--> IN_PROGRESS --complete--> COMPLETED
              ^  |                 |  |----fail, give_up, lose_for_good--> FAILED
              |  |--cancel, purge--+--cancel--> CANCELLED
              |  |--expire---------+--expire, time_out--> TIMED_OUT
              +--give_back, bury, lose--+             FAILED, TIMED_OUT --retry--> IN_QUEUE
"""

from dataclasses import dataclass

from acestep_serverless.contract.job import JobState

WAITING, RUNNING = JobState.IN_QUEUE, JobState.IN_PROGRESS

DEATHS_ALLOWED = 3
"""A job during which a worker was seen to die this often fails: it is probably what kills them."""
LOSSES_ALLOWED = 3
"""A job whose worker dropped it this often without delivering a result fails (its result may be impossible to
encode)."""


@dataclass(frozen=True, slots=True)
class Move:
    """From which states to which one, and what it means in a sentence. `tells_worker`: its holder is asked to stop."""

    sources: tuple[JobState, ...]
    target: JobState
    meaning: str
    tells_worker: bool = False


MOVES: dict[str, Move] = {
    "take": Move((WAITING,), RUNNING, "A worker asked for work and now holds the lease."),
    "complete": Move((RUNNING,), JobState.COMPLETED, "The lease holder delivered its output."),
    "fail": Move((RUNNING,), JobState.FAILED, "The lease holder delivered an error."),
    "cancel": Move((WAITING, RUNNING), JobState.CANCELLED, "The client no longer wants it; final at once.", True),
    "purge": Move((WAITING,), JobState.CANCELLED, "The client emptied the queue."),
    "give_back": Move(
        (RUNNING,), WAITING, "Its worker ended for reasons of ours: restart, drain, scaling. Not counted."
    ),
    "bury": Move((RUNNING,), WAITING, "Its worker was seen to die; counted in `deaths`.", True),
    "give_up": Move((RUNNING,), JobState.FAILED, "Its worker died once too often.", True),
    "lose": Move((RUNNING,), WAITING, "Its id left the heartbeats without a result; counted in `losses`.", True),
    "lose_for_good": Move((RUNNING,), JobState.FAILED, "It was lost that way once too often.", True),
    "time_out": Move((RUNNING,), JobState.TIMED_OUT, "It ran longer than its executionTimeout.", True),
    "retry": Move(
        (JobState.FAILED, JobState.TIMED_OUT), WAITING, "The client wants it tried again: same id and input."
    ),
    "expire": Move((WAITING, RUNNING), JobState.TIMED_OUT, "Its ttl passed before it was final.", True),
}
"""Every legal move by its name in `job_events`."""
