"""How Alembic meets our database: always through an engine that the program has opened."""

from alembic import context

from verifier.database import metadata

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
