"""How Alembic meets our database: always through an engine that the program has opened."""

from registry.tables import metadata
from talentseal.service.migrations import run

run(metadata)
