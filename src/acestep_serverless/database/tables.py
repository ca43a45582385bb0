"""What is stored? Every table of the project, with the laws that the database itself keeps.

All times are whole milliseconds since 1970. `lane`, then `number` order the queue: a job that goes back keeps its
number and so its turn. One set of tables for SQLite and PostgreSQL. Partial indexes keep what is asked all the time
(who waits, who holds what, what is over) as small as the work in hand, however many finished jobs are kept.
"""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()

STATES = ("IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
_QUOTED_STATES = ", ".join(f"'{state}'" for state in STATES)

# SQLite numbers rows by itself only in a column of exactly this type.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

WAITING = "finished_at IS NULL AND lease_expires_at IS NULL"
"""Which rows of `jobs` are IN_QUEUE, in the words of a partial index (a query must use the same words to use it)."""


def only_where(condition: str) -> dict[str, Any]:
    """Give an index's options that make it partial, in both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("low_priority", sa.Boolean(create_constraint=False), nullable=False, default=False),
    sa.Column("execution_timeout_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("submitted_at", sa.BigInteger, nullable=False),
    sa.Column("taken_at", sa.BigInteger),
    sa.Column("finished_at", sa.BigInteger),
    sa.Column("worker_id", sa.Text),
    sa.Column("lease_expires_at", sa.BigInteger),
    sa.Column("missed_heartbeats", sa.Integer, nullable=False, default=0),
    sa.Column("deliveries", sa.Integer, nullable=False, default=0),
    sa.Column("deaths", sa.Integer, nullable=False, default=0),
    sa.Column("losses", sa.Integer, nullable=False, default=0),
    sa.Column("progress", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("webhook", sa.Text),
    sa.Column("lane", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("batch_id", sa.Text),
    sa.Column("keep_ms", sa.BigInteger, nullable=False, server_default="604800000"),
    sa.Column("purge_at", sa.BigInteger),
    sa.Column("missed_at", sa.BigInteger),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("overdue_at", sa.BigInteger),
    sa.CheckConstraint(f"state IN ({_QUOTED_STATES})", name="jobs_state_is_known"),
    sa.CheckConstraint(
        "(finished_at IS NOT NULL) = (state NOT IN ('IN_QUEUE', 'IN_PROGRESS'))", name="jobs_finished_when_final"
    ),
    sa.CheckConstraint("(lease_expires_at IS NOT NULL) = (state = 'IN_PROGRESS')", name="jobs_leased_when_in_progress"),
    sa.Index("jobs_by_state", "endpoint_id", "state", "number"),
    sa.Index("jobs_waiting", "endpoint_id", "lane", "number", **only_where(WAITING)),
    sa.Index("jobs_held", "worker_id", **only_where("lease_expires_at IS NOT NULL")),
    sa.Index("jobs_open", "expires_at", **only_where("finished_at IS NULL")),
    sa.Index("jobs_kept", "purge_at", **only_where("purge_at IS NOT NULL")),
    sa.Index("jobs_of_batch", "batch_id", "number", **only_where("batch_id IS NOT NULL")),
    sqlite_autoincrement=True,
)
"""One row a job, small: bodies lie beside it. `keep_ms` is how long it is kept once final, `purge_at` the end of
that; `lane` 0 goes before lane 1 (jobs of a batch). `started_at` is when work on it is known to have begun: the take by
an idle worker, else the first progress; `overdue_at` is when its executionTimeout ends it, NULL until that counts."""

JOB_BODIES = sa.Table(
    "job_bodies",
    METADATA,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("passed_on", sa.Text, nullable=False),
    sa.Column("output", sa.Text),
)
"""What may be megabytes: the client's input and the handler's output as JSON text; `passed_on` is emptied at the end
(secrets)."""

JOB_EVENTS = sa.Table(
    "job_events",
    METADATA,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("move", sa.Text, nullable=False),
    sa.Column("worker_id", sa.Text),
    sa.Index("job_events_by_job", "job_id"),
)
"""The history: one row for every move, named as in the table of `jobs/states.py`."""

STREAM_CHUNKS = sa.Table(
    "stream_chunks",
    METADATA,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Index("stream_chunks_by_job", "job_id", "number"),
)
"""What a generator has yielded and nobody has read yet, as JSON text, in order; reading takes it away."""

OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Index("outbox_by_time", "due_at"),
)
"""Notices to clients' webhooks that have not been delivered; written in the transaction that ends the job."""

STOPS = sa.Table(
    "stops",
    METADATA,
    sa.Column("worker_id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("first_told_at", sa.BigInteger),
    sa.Column("told_at", sa.BigInteger),
    sa.Column("missed_since", sa.BigInteger),
)
"""Requests to a worker to drop a job; a row goes when the id has been missing from the worker's heartbeats for as long
as a lease. `missed_since`: the first heartbeat that left it out, after the last that listed it."""

WORKERS = sa.Table(
    "workers",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("token_digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("enrolled_at", sa.BigInteger, nullable=False),
    sa.Column("polled_at", sa.BigInteger),
    sa.Column("pinged_at", sa.BigInteger),
    sa.Column("unhealthy", sa.Text),
    sa.Column("fleet_id", sa.Text),
    sa.Column("polls_until", sa.BigInteger),
    sa.Column("fed_at", sa.BigInteger),
    sa.Column("abilities", sa.Text),
    sa.CheckConstraint("state IN ('ACTIVE', 'DRAINING', 'GONE')", name="workers_state_is_known"),
    sa.Index("workers_by_endpoint", "endpoint_id", "state"),
)
"""Workers that have enrolled, with the digest of their token. `polls_until`: asks for work until then at the latest;
`abilities`: what it has told of its engine, as JSON (contract/abilities.py), NULL for workers that tell nothing."""

FLEETS = sa.Table(
    "fleets",
    METADATA,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
"""Which fleet acts for an endpoint: the lease that keeps two machines from scaling for the same queue."""

TALLIES = sa.Table(
    "tallies",
    METADATA,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("shard", sa.Integer, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
"""How many kept jobs are in each final state, and under "retried" how often one was handed out again: counted as they
move, since counting a million rows takes 0.1 s. Each gateway process adds to a shard of its own."""

BATCHES = sa.Table(
    "batches",
    METADATA,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("gone_completed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("gone_failed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("finalized_at", sa.BigInteger),
    sa.CheckConstraint("state IN ('DRAFT', 'FINALIZED', 'FAILED', 'CANCELLED')", name="batches_state_is_known"),
    sa.Index("batches_by_endpoint", "endpoint_id", "number"),
)
"""Batches: `total` requests, in BATCH_DRAFTS until the batch is finalized and then jobs of their own; `gone_...` count
those whose jobs are no longer kept."""

BATCH_DRAFTS = sa.Table(
    "batch_drafts",
    METADATA,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("batch_id", sa.Text, sa.ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("passed_on", sa.Text, nullable=False),
    sa.Column("execution_timeout_ms", sa.BigInteger),
    sa.Column("ttl_ms", sa.BigInteger, nullable=False),
    sa.Column("low_priority", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("webhook", sa.Text),
    sa.Index("batch_drafts_by_batch", "batch_id", "number"),
)
"""Requests of batches in DRAFT: what becomes of each a row in `jobs` and one in `job_bodies`."""

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("endpoints", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
)
"""Client keys made by the `keys` command: a SHA-256 digest, and which endpoints they open (JSON list of names, or of
"*")."""

ARTIFACTS = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("job_id", "position", name="artifacts_one_file_a_position"),
)
"""Audio files and what lies beside them, by their unguessable name; each lives exactly as long as its job."""
