"""How Alembic meets our database: always through an engine that the program has opened."""

from talentseal.service.migrations import run
from verifier.database import metadata

run(metadata)
