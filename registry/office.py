"""An open registry: its places, its database, its keys, the time and the person of the present act.

Everything that happens gets one of these, so that nothing below reads clock or environment. Keys
are opened when first needed: stretching the passphrase costs a tenth of a second, once. A service
opens one office and has `at` make a view of it for every act, which costs nothing.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from registry.audit.trail import COMMAND_LINE, note
from registry.database import SCHEMA, check_schema, reading, transaction
from registry.settings import ROLE, Settings
from talentseal.commandline import key_passphrase, make_dev_passphrase
from talentseal.encoding import to_seconds
from talentseal.errors import UsageError
from talentseal.files import make_private_folder
from talentseal.keys import SoftwareSigner
from talentseal.keystore import KEYSTORE_FILE, Keystore
from talentseal.service.database import connect
from talentseal.statements import HOUR_SECONDS, floor_hour

DAY_SECONDS = 24 * HOUR_SECONDS


class Office:
    """One act's view of the registry. `moment` is its only notion of time.

    actor  who acts, for the audit trail: an operator's id, an issuer's entity id, or a program
    built  status lists as they were built last, by list id: see `status_lists.tokens`
    """

    def __init__(
        self, settings: Settings, moment: datetime, *, actor: str = COMMAND_LINE
    ) -> None:  # fmt: skip
        self.settings = settings
        self.moment = moment
        self.now = to_seconds(moment)
        self.actor = actor
        self.built: dict[str, Any] = {}
        self._signers: dict[str, SoftwareSigner] = {}

    def at(self, moment: datetime, *, actor: str) -> "Office":
        """The same registry for another act: database, keys and built lists are shared."""
        view = Office(self.settings, moment, actor=actor)
        for name in ("engine", "keystore"):
            if name in self.__dict__:
                view.__dict__[name] = self.__dict__[name]
        view.built, view._signers = self.built, self._signers
        return view

    def open(self) -> None:
        """Open database and keys now, for every view to come. Raises UnavailableError."""
        check_schema(self.engine)
        self.keystore.kids()

    @cached_property
    def engine(self) -> Engine:
        return connect(self.settings.database)

    @cached_property
    def keystore(self) -> Keystore:
        return Keystore.open(self.settings.keys, key_passphrase(ROLE))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with transaction(self.engine) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with reading(self.engine) as session:
            yield session

    def note(self, session: Session, act: str, subject: str) -> None:
        """Write into the audit trail, in the transaction of the act."""
        note(session, at=self.now, actor=self.actor, act=act, subject=subject)

    @property
    def start(self) -> int:
        """Where rights and keys begin: the last full hour but one, so that they hold at once.

        Development only: a production listing precedes its first use by a day.
        """
        return floor_hour(self.now) - HOUR_SECONDS

    def new_key(self, alg: str = "ES256") -> SoftwareSigner:
        signer = self.keystore.new(alg, now=self.moment)
        self._signers[signer.public.kid] = signer
        return signer

    def signer(self, kid: str) -> SoftwareSigner:
        """A key kept here. Raises UsageError or UnavailableError."""
        if kid not in self._signers:
            self._signers[kid] = self.keystore.load(kid)
        return self._signers[kid]

    def first_signer(self, kids: Sequence[str]) -> SoftwareSigner | None:
        """The first of these keys that is kept here."""
        held = set(self.keystore.kids())
        return next((self.signer(kid) for kid in kids if kid in held), None)

    def new_id(self, prefix: str) -> str:
        """An identifier that nobody can guess: `g-4f0c…`."""
        return f"{prefix}-{secrets.token_hex(8)}"


def create_office(settings: Settings, moment: datetime, *, dev: bool) -> Office:
    """Make the folder, the keystore and the database. What exists is kept.

    Raises UsageError `NOT_OFFERED` unless `dev`: ceremonies with officers come later.
    """
    if not dev:
        raise UsageError(
            "a production registry needs a key ceremony, which is not part of this version",
            code="NOT_OFFERED",
            hint="For development, run: registry init --dev",
        )
    make_private_folder(settings.home)
    office = Office(settings, moment)
    passphrase = make_dev_passphrase(ROLE)
    if not (settings.keys / KEYSTORE_FILE).exists():
        Keystore.create(settings.keys, passphrase, dev=True)
    SCHEMA.migrate(office.engine)
    (settings.exchange / "orders").mkdir(parents=True, exist_ok=True)
    settings.public.mkdir(parents=True, exist_ok=True)
    return office


def open_office(settings: Settings, moment: datetime) -> Office:
    """The registry that `init` has made. Raises UsageError where there is none."""
    from sqlalchemy import make_url

    office = Office(settings, moment)
    url = make_url(settings.database)
    if url.database and url.database != ":memory:" and not settings.home.exists():
        raise UsageError("there is no registry here yet", hint="Run: registry init --dev")
    check_schema(office.engine)
    return office
