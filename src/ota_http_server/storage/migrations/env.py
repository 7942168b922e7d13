"""What Alembic runs: the steps, in one transaction, on the connection that it is given."""

from alembic import context

from ota_http_server.storage.schema import metadata

# Alembic fills its `context` module while it runs.
# pylint: disable=no-member
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can undo a half-made step as well, once the driver leaves transactions to us.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
