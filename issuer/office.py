"""One issuer: its places, its database, its keys and its trust data, opened when asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from issuer.database import (
    SCHEMA,
    audit,
    key,
    open_database,
    profile,
    reading,
)
from talentseal.bundle import Bundle
from talentseal.commandline import base_home, key_passphrase, keys_folder, role_home, setting
from talentseal.encoding import parse_json
from talentseal.errors import UsageError
from talentseal.files import make_private_folder
from talentseal.keystore import Keystore
from talentseal.service.database import connect
from talentseal.trustdb import open_bundle

ROLE = "issuer"
DATABASE = "TALENTSEAL_ISSUER_DB"
EXCHANGE = "TALENTSEAL_EXCHANGE"
TRUST_SOURCE = "TALENTSEAL_TRUST_SOURCE"
VERIFIER_HOST = "TALENTSEAL_VERIFIER_HOST"
DEFAULT_HOST = "verify.talentseal.example"


@dataclass(frozen=True)
class Office:
    """The issuer of this home; nothing is opened before it is used."""

    home: Path

    @classmethod
    def here(cls) -> "Office":
        return cls(role_home(ROLE))

    @cached_property
    def engine(self) -> Engine:
        return open_database(self._database())

    def migrate(self) -> None:
        """Bring the database to the schema of this program. Raises UnavailableError."""
        SCHEMA.migrate(connect(self._database()))

    def _database(self) -> str:
        make_private_folder(self.home)
        return setting(DATABASE) or f"sqlite:///{self.home / 'issuer.db'}"

    @cached_property
    def keystore(self) -> Keystore:
        return Keystore.open(keys_folder(ROLE), key_passphrase(ROLE))

    @cached_property
    def bundle(self) -> Bundle:
        return open_bundle(self.trust)

    @property
    def trust(self) -> Path:
        return self.home / "trust"

    @property
    def orders(self) -> Path:
        chosen = setting(EXCHANGE)
        folder = Path(chosen).expanduser().absolute() if chosen else base_home() / "exchange"
        return folder / "orders"

    @property
    def host(self) -> str:
        return setting(VERIFIER_HOST) or DEFAULT_HOST

    @property
    def entity_id(self) -> str:
        return self.profile("entity_id")

    def find_profile(self, name: str) -> str | None:
        with reading(self.engine) as db:
            return db.execute(select(profile.c.value).where(profile.c.name == name)).scalar()

    def profile(self, name: str) -> str:
        """A fact about this issuer. Raises UsageError before it is enrolled."""
        value = self.find_profile(name)
        if value is None:
            raise UsageError(
                "this issuer is not set up yet",
                hint="Run `issuer keys new`, have the registry answer, then `issuer enrol FILE`.",
            )
        return value

    def signing_keys(self) -> list[tuple[str, list[str]]]:
        """Every enrolled key, newest first: its identifier and its certificate chain.

        Raises UsageError where there is none.
        """
        with reading(self.engine) as db:
            rows = db.execute(
                select(key.c.kid, key.c.x5c)
                .where(key.c.x5c.is_not(None))
                .order_by(key.c.created_at.desc(), key.c.kid)
            ).all()
        if not rows:
            raise UsageError("no key of this issuer is enrolled", hint="Run: issuer enrol FILE")
        return [(row.kid, parse_json(row.x5c.encode(), top=list)) for row in rows]


def set_profile(db: Connection, facts: Mapping[str, str]) -> None:
    for name, value in facts.items():
        db.execute(profile.delete().where(profile.c.name == name))
        db.execute(insert(profile).values(name=name, value=value))


def note(db: Connection, act: str, *, at: int, **facts: Any) -> None:
    """One line of the audit trail, in the transaction of the act itself."""
    db.execute(insert(audit).values(act=act, at=at, **facts))
