"""What workers tell of their engines."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give workers a place for it; those that have enrolled before have told nothing."""
    op.add_column("workers", sa.Column("abilities", sa.Text))
