"""The whole endpoint: several gateways and fleets, batches, keys, and counts that need no counting."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Widen jobs and workers, add what is new, and count what is there."""
    _jobs()
    _workers()
    _batches()
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("endpoints", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    _tallies()


def _only_where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _jobs() -> None:
    for name in ("jobs_by_queue", "jobs_by_worker", "jobs_by_end", "jobs_handed_out_again"):
        op.drop_index(name, "jobs")
    op.add_column("jobs", sa.Column("lane", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("batch_id", sa.Text))
    op.add_column("jobs", sa.Column("keep_ms", sa.BigInteger, nullable=False, server_default="604800000"))
    op.add_column("jobs", sa.Column("purge_at", sa.BigInteger))
    op.add_column("jobs", sa.Column("missed_at", sa.BigInteger))
    op.add_column("jobs", sa.Column("started_at", sa.BigInteger))
    op.add_column("jobs", sa.Column("overdue_at", sa.BigInteger))
    op.execute(
        "UPDATE jobs SET started_at = taken_at, overdue_at = taken_at + execution_timeout_ms "
        "WHERE lease_expires_at IS NOT NULL"
    )
    op.execute("UPDATE jobs SET purge_at = finished_at + keep_ms WHERE finished_at IS NOT NULL")
    waiting = "finished_at IS NULL AND lease_expires_at IS NULL"
    op.create_index("jobs_by_state", "jobs", ["endpoint_id", "state", "number"])
    op.create_index("jobs_waiting", "jobs", ["endpoint_id", "lane", "number"], **_only_where(waiting))
    op.create_index("jobs_held", "jobs", ["worker_id"], **_only_where("lease_expires_at IS NOT NULL"))
    op.create_index("jobs_open", "jobs", ["expires_at"], **_only_where("finished_at IS NULL"))
    op.create_index("jobs_kept", "jobs", ["purge_at"], **_only_where("purge_at IS NOT NULL"))
    op.create_index("jobs_of_batch", "jobs", ["batch_id", "number"], **_only_where("batch_id IS NOT NULL"))


def _workers() -> None:
    op.drop_column("workers", "from_fleet")
    op.add_column("workers", sa.Column("fleet_id", sa.Text))
    op.add_column("workers", sa.Column("polls_until", sa.BigInteger))
    op.add_column("workers", sa.Column("fed_at", sa.BigInteger))
    op.drop_column("stops", "missed_heartbeats")
    op.add_column("stops", sa.Column("missed_since", sa.BigInteger))
    op.create_table(
        "fleets",
        sa.Column("endpoint_id", sa.Text, primary_key=True),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
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
    )
    op.create_index("batches_by_endpoint", "batches", ["endpoint_id", "number"])
    op.create_table(
        "batch_drafts",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("batch_id", sa.Text, sa.ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("passed_on", sa.Text, nullable=False),
        sa.Column("execution_timeout_ms", sa.BigInteger),
        sa.Column("ttl_ms", sa.BigInteger, nullable=False),
        sa.Column("low_priority", sa.Boolean, nullable=False),
        sa.Column("webhook", sa.Text),
    )
    op.create_index("batch_drafts_by_batch", "batch_drafts", ["batch_id", "number"])


def _tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("endpoint_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO tallies (endpoint_id, name, shard, count) "
        "SELECT endpoint_id, state, 0, count(*) FROM jobs WHERE finished_at IS NOT NULL GROUP BY endpoint_id, state"
    )
    op.execute(
        "INSERT INTO tallies (endpoint_id, name, shard, count) "
        "SELECT endpoint_id, 'retried', 0, sum(deliveries - 1) FROM jobs WHERE deliveries > 1 GROUP BY endpoint_id"
    )
