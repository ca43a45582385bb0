"""Streams: what a generator yields before its job ends."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of unread chunks."""
    op.create_table(
        "stream_chunks",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("output", sa.Text, nullable=False),
    )
    op.create_index("stream_chunks_by_job", "stream_chunks", ["job_id", "number"])
