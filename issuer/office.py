"""One issuer: its places, its database, its keys and its trust data, opened when asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from issuer.database import audit, key, open_engine, profile, transaction
from talentseal.bundle import Bundle
from talentseal.commandline import base_home, key_passphrase, keys_folder, role_home, setting
from talentseal.encoding import parse_json
from talentseal.errors import UsageError
from talentseal.files import make_private_folder
from talentseal.keystore import Keystore
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
        make_private_folder(self.home)
        return open_engine(setting(DATABASE) or f"sqlite:///{self.home / 'issuer.db'}")

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
        return (Path(chosen) if chosen else base_home() / "exchange") / "orders"

    @property
    def host(self) -> str:
        return setting(VERIFIER_HOST) or DEFAULT_HOST

    def profile(self, name: str) -> str:
        """A fact about this issuer. Raises UsageError before it is enrolled."""
        with transaction(self.engine) as db:
            value = db.execute(select(profile.c.value).where(profile.c.name == name)).scalar()
        if value is None:
            raise UsageError(
                "this issuer is not set up yet",
                hint="Run `issuer keys new`, have the registry answer, then `issuer enrol FILE`.",
            )
        return str(value)

    def signing_key(self) -> tuple[str, list[str]]:
        """The newest enrolled key: its identifier and its certificate chain."""
        with transaction(self.engine) as db:
            row = db.execute(
                select(key.c.kid, key.c.x5c)
                .where(key.c.x5c.is_not(None))
                .order_by(key.c.created_at.desc())
            ).first()
        if row is None:
            raise UsageError("no key of this issuer is enrolled", hint="Run: issuer enrol FILE")
        chain: list[str] = parse_json(row.x5c.encode(), top=list)
        return row.kid, chain


def set_profile(db: Connection, facts: Mapping[str, str]) -> None:
    for name, value in facts.items():
        db.execute(profile.delete().where(profile.c.name == name))
        db.execute(insert(profile).values(name=name, value=value))


def note(db: Connection, act: str, *, at: int, **facts: Any) -> None:
    """One line of the audit trail, in the transaction of the act itself."""
    db.execute(insert(audit).values(act=act, at=at, **facts))
