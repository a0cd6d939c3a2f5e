"""One issuer: its places, its database, its keys and its trust data, opened when asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, insert, select

from issuer.database import (
    SCHEMA,
    key,
    open_database,
    profile,
    reading,
)
from talentseal.bundle import Bundle
from talentseal.commandline import (
    base_home,
    device_settings,
    key_passphrase,
    keys_folder,
    note_migration,
    role_home,
    setting,
)
from talentseal.encoding import parse_json
from talentseal.errors import InputError, UnavailableError, UsageError
from talentseal.files import make_private_folder
from talentseal.keys import Signer
from talentseal.keystore import Keystore, open_signer
from talentseal.links import check_url
from talentseal.service.database import connect
from talentseal.trustdb import open_bundle

ROLE = "issuer"
DEV = "TALENTSEAL_DEV"
DATABASE = "TALENTSEAL_ISSUER_DB"
EXCHANGE = "TALENTSEAL_EXCHANGE"
TRUST_SOURCE = "TALENTSEAL_TRUST_SOURCE"
VERIFIER_HOST = "TALENTSEAL_VERIFIER_HOST"
URL = "TALENTSEAL_ISSUER_URL"
# Facts of a database that was restored: issuer/restoring.py.
RESTORED_AT = "restored_at"  # NumericDate
RESTORED_CODE = "restored_code"  # what a block that comes by file must answer to
ORDER_FLOOR = "order_floor"  # orders are numbered from here on
_FACT = select(profile.c.value).where(profile.c.name == bindparam("wanted"))
_SIGNING_KEYS = (
    select(key.c.kid, key.c.x5c)
    .where(key.c.x5c.is_not(None))
    .order_by(key.c.created_at.desc(), key.c.kid)
)
DEFAULT_URL = "http://127.0.0.1:8702"
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
        SCHEMA.migrate(connect(self._database()), told=note_migration)

    def _database(self) -> str:
        make_private_folder(self.home)
        return setting(DATABASE) or f"sqlite:///{self.home / 'issuer.db'}"

    @cached_property
    def keystore(self) -> Keystore:
        return Keystore.open(keys_folder(ROLE), self._passphrase())

    def signer(self, kid: str) -> Signer:
        """The key of that name, ready to sign: a device that was lost is opened again first.

        Raises UsageError, UnavailableError.
        """
        uri = self._place(kid)
        if uri is None:
            return self._loaded(kid)
        signer = open_signer(uri, passphrase=self._passphrase, device=device_settings())
        if signer.public.kid != kid:
            raise UnavailableError(
                "the signing device holds another key than the one recorded here",
                hint="See: issuer keys list",
            )
        return signer

    def _loaded(self, kid: str) -> Signer:
        if kid not in self._signers:
            self._signers[kid] = self.keystore.load(kid)
        return self._signers[kid]

    def _place(self, kid: str) -> str | None:
        """The URI of a key in a device. Asked of the database once: a key never moves."""
        if kid not in self._places:
            with reading(self.engine) as db:
                self._places.update({row.kid: row.uri for row in db.execute(select(key))})
        return self._places.get(kid)

    @cached_property
    def _signers(self) -> dict[str, Signer]:
        return {}

    @cached_property
    def _places(self) -> dict[str, str | None]:
        return {}

    def _passphrase(self) -> bytes:
        return key_passphrase(ROLE)

    def check_key(self, kid: str | None = None) -> None:
        """Open the newest key before a transaction begins: nothing waits for a device inside one.

        kid  its name, if it is known already

        Raises UsageError, UnavailableError.
        """
        kid = kid or self.signing_keys()[0][0]
        try:
            self.signer(kid)
        except UnavailableError as error:
            raise UnavailableError(
                "the signing key cannot be used now",
                hint=error.hint or "Look at the key folder or the signing device.",
            ) from error

    @cached_property
    def bundle(self) -> Bundle:
        return open_bundle(self.trust)

    def renew(self) -> None:
        """Read the trust data afresh when it is next asked for."""
        self.__dict__.pop("bundle", None)

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
            return find_fact(db, name)

    def profile(self, name: str) -> str:
        """A fact about this issuer. Raises UsageError before it is enrolled."""
        with reading(self.engine) as db:
            return fact(db, name)

    def is_enrolled(self) -> bool:
        """Whether the registry's answer has been taken in."""
        with reading(self.engine) as db:
            return find_fact(db, "root") is not None

    def standing(self) -> "Standing":
        """Who seals here, and with which keys. Raises UsageError before enrolment."""
        with reading(self.engine) as db:
            return standing_in(db)

    def signing_keys(self) -> list[tuple[str, list[str]]]:
        """Every enrolled key, newest first: its identifier and its certificate chain.

        Raises UsageError where there is none.
        """
        with reading(self.engine) as db:
            return signing_keys_in(db)


def base_url() -> str:
    """Where wallets find this issuer, without a slash at the end: its Credential Issuer Identifier.

    Raises UsageError.
    """
    url = (setting(URL) or DEFAULT_URL).rstrip("/")
    try:
        check_url(url, dev=setting(DEV) == "1")
    except InputError as error:
        raise UsageError(
            f"{URL} is {error.message}", hint="http is for development on this machine alone."
        ) from error
    return url


@dataclass(frozen=True, slots=True)
class Standing:
    """Who seals here.

    iss   entity id
    keys  enrolled keys, newest first: identifier and certificate chain
    """

    iss: str
    keys: Sequence[tuple[str, list[str]]]


def standing_in(db: Connection) -> Standing:
    """The same within a transaction. Raises UsageError before enrolment."""
    return Standing(fact(db, "entity_id"), signing_keys_in(db))


def find_fact(db: Connection, name: str) -> str | None:
    return db.execute(_FACT, {"wanted": name}).scalar()


def fact(db: Connection, name: str) -> str:
    value = find_fact(db, name)
    if value is None:
        raise UsageError(
            "this issuer is not set up yet",
            hint="Run `issuer keys new`, have the registry answer, then `issuer enrol FILE`.",
        )
    return value


def signing_keys_in(db: Connection) -> list[tuple[str, list[str]]]:
    rows = db.execute(_SIGNING_KEYS).all()
    if not rows:
        raise UsageError("no key of this issuer is enrolled", hint="Run: issuer enrol FILE")
    return [(row.kid, parse_json(row.x5c.encode(), top=list)) for row in rows]


def set_profile(db: Connection, facts: Mapping[str, str]) -> None:
    for name, value in facts.items():
        db.execute(profile.delete().where(profile.c.name == name))
        db.execute(insert(profile).values(name=name, value=value))
