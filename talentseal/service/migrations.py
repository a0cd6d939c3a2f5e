"""What the migrations of all services share, so that each runs on SQLite and on PostgreSQL.

A role's migrations and tables are its own; here are the pieces that differ between databases: a
number wide enough for times after 2038, rows that are never changed again, and the way Alembic
meets the engine that the program has opened. A migration runs in one transaction, alone.
"""

from typing import Any

from sqlalchemy import BigInteger, Integer, MetaData, text
from sqlalchemy.types import TypeEngine

# Seconds since 1970, counters, sequence numbers. INTEGER of PostgreSQL would end in 2038.
NUMBER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

_REFUSE = """
CREATE OR REPLACE FUNCTION talentseal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def run(metadata: MetaData) -> None:
    """The work of a role's `env.py`: the migrations that Alembic has chosen, in one transaction."""
    from alembic import context

    engine = context.config.attributes["engine"]
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":  # as long as it takes
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            context.run_migrations()


def append_only(op: Any, table: str) -> None:
    """Let no row of a table be changed or removed again; a transaction that tries it fails.

    op     Alembic's operations
    table  a name of our own, never one from outside
    """
    if op.get_bind().dialect.name != "postgresql":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
            )
        return
    op.execute(_REFUSE)
    for act, each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{act} BEFORE {act.upper()} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION talentseal_refuse_change()"
        )
