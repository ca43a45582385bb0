"""What does Alembic run in? The connection that `migrate.bring_up_to_date` hands over, in its transaction."""

from alembic import context

from acestep_serverless.database.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
