"""How does a database come to hold a million finished jobs? In a few statements of its own: seconds, not hours.

Each job has what a finished one has: a body with input and output, its two moves, and its part of the tallies.
"""

import sqlalchemy as sa

from acestep_serverless.database.engine import open_engine
from acestep_serverless.database.migrate import bring_up_to_date

ENDPOINT = "ace-step"
TAKEN_FOR_MS = 20_000

_NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n)",
    "postgresql": "(SELECT generate_series(1, CAST(:count AS BIGINT)) AS i) AS n",
}
_NEW_ID = {"sqlite": "'filled-' || lower(hex(randomblob(16)))", "postgresql": "'filled-' || gen_random_uuid()"}
# A million rows take longer than the gateway lets a statement take; that each row has its job is known here.
_PREPARE = {"sqlite": (), "postgresql": ("SET statement_timeout = 0", "SET session_replication_role = replica")}
_REFRESH = {"sqlite": ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"), "postgresql": ("VACUUM ANALYZE", "CHECKPOINT")}

_JOBS = """INSERT INTO jobs (id, endpoint_id, state, low_priority, execution_timeout_ms, expires_at, submitted_at,
 taken_at, finished_at, worker_id, missed_heartbeats, deliveries, deaths, losses, lane, keep_ms, purge_at)
 SELECT {id}, :endpoint, 'COMPLETED', {no}, 600000, :now + 86400000, :now - 60000, :now - 30000, :now - 10000,
 'filled-worker', 0, 1, 0, 0, 0, 604800000, :now + 604800000 + i FROM {numbers}"""
_BODIES = """INSERT INTO job_bodies (job_id, input, passed_on, output)
 SELECT id, '{"caption": "Cinematic orchestral trailer music", "duration": 45}', '{}',
 '{"audios": [{"url": "http://127.0.0.1/v1/audio?filename=0123456789abcdef.mp3", "seconds": 45.0}]}'
 FROM jobs WHERE worker_id = 'filled-worker'"""
_EVENTS = """INSERT INTO job_events (job_id, at, move, worker_id) SELECT id, taken_at, 'take', worker_id FROM jobs
 WHERE worker_id = 'filled-worker'
 UNION ALL SELECT id, finished_at, 'complete', worker_id FROM jobs WHERE worker_id = 'filled-worker'"""
_TALLY = "INSERT INTO tallies (endpoint_id, name, shard, count) VALUES (:endpoint, 'COMPLETED', 0, :count)"


def fill(database_url: str, count: int, now_ms: int) -> None:
    """Store `count` finished jobs in a new database, kept for a week from `now_ms` on."""
    engine = open_engine(database_url)
    dialect = engine.dialect.name
    bring_up_to_date(engine)
    no = "false" if dialect == "postgresql" else "0"
    jobs = sa.text(_JOBS.format(id=_NEW_ID[dialect], no=no, numbers=_NUMBERS[dialect]))
    jobs = jobs.bindparams(sa.bindparam("now", type_=sa.BigInteger))
    given = {"count": count, "endpoint": ENDPOINT, "now": now_ms}
    with engine.execution_options(writes=True).begin() as connection:
        for statement in _PREPARE[dialect]:
            connection.exec_driver_sql(statement)
        connection.execute(jobs, given)
        connection.exec_driver_sql(_BODIES)
        connection.exec_driver_sql(_EVENTS)
        connection.execute(sa.text(_TALLY), {"endpoint": ENDPOINT, "count": count})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (*_PREPARE[dialect], *_REFRESH[dialect]):
            connection.exec_driver_sql(statement)
    engine.dispose()
