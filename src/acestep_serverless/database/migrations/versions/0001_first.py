"""The first schema: jobs, their bodies and history, stops, workers, artifacts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create every table. Written out, not taken from `tables.py`, which moves on."""
    _jobs()
    _what_belongs_to_jobs()
    _workers_and_files()


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("endpoint_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("low_priority", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("execution_timeout_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("worker_id", sa.Text),
        sa.Column("lease_expires_at", sa.BigInteger),
        sa.Column("missed_heartbeats", sa.Integer, nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("progress", sa.Text),
        sa.Column("error", sa.Text),
        sa.CheckConstraint(
            "state IN ('IN_QUEUE', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT')",
            name="jobs_state_is_known",
        ),
        sa.CheckConstraint(
            "(finished_at IS NOT NULL) = (state NOT IN ('IN_QUEUE', 'IN_PROGRESS'))", name="jobs_finished_when_final"
        ),
        sa.CheckConstraint(
            "(lease_expires_at IS NOT NULL) = (state = 'IN_PROGRESS')", name="jobs_leased_when_in_progress"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_by_queue", "jobs", ["endpoint_id", "state", "number"])
    op.create_index("jobs_by_worker", "jobs", ["worker_id", "state"])
    op.create_index("jobs_by_end", "jobs", ["finished_at"])
    again = sa.text("deliveries > 1")
    op.create_index(
        "jobs_handed_out_again", "jobs", ["endpoint_id", "deliveries"], sqlite_where=again, postgresql_where=again
    )


def _what_belongs_to_jobs() -> None:
    op.create_table(
        "job_bodies",
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("passed_on", sa.Text, nullable=False),
        sa.Column("output", sa.Text),
    )
    op.create_table(
        "job_events",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("move", sa.Text, nullable=False),
        sa.Column("worker_id", sa.Text),
    )
    op.create_index("job_events_by_job", "job_events", ["job_id"])


def _workers_and_files() -> None:
    op.create_table(
        "stops",
        sa.Column("worker_id", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("first_told_at", sa.BigInteger),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("missed_heartbeats", sa.Integer, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("endpoint_id", sa.Text, nullable=False),
        sa.Column("token_digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("from_fleet", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger, nullable=False),
        sa.Column("polled_at", sa.BigInteger),
        sa.Column("pinged_at", sa.BigInteger),
        sa.Column("unhealthy", sa.Text),
        sa.CheckConstraint("state IN ('ACTIVE', 'DRAINING', 'GONE')", name="workers_state_is_known"),
    )
    op.create_index("workers_by_endpoint", "workers", ["endpoint_id", "state"])
    op.create_table(
        "artifacts",
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
