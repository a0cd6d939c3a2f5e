"""Signed status tokens: built from the entries, and read back as a stranger would.

Only chunks that changed since the list was built last are compressed anew, and between two whole
publications a list without a change keeps its tokens. A list is built before the transaction that
signs it: a million entries take seconds, for which no order waits. A new list counts as published
once both its tokens were read in public and admitted under the provider's keys: from the public
folder, or, where a service runs, through the address that everybody uses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from registry.issuers import repository as issuers
from registry.issuers.models import EntityKeyRow
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import get_jurisdiction
from registry.office import Office
from registry.publishing.metadata import named_targets, sha256
from registry.publishing.repository import latest
from registry.status_lists import repository
from registry.status_lists.models import StatusListRow
from talentseal.artefacts import STATUS, file_code
from talentseal.encoding import MAX_LIST_BYTES, b64_decode
from talentseal.errors import InputError, UnavailableError
from talentseal.files import read_bounded
from talentseal.keys import PublicKey
from talentseal.status import admit
from talentseal.status_list import LIFE_SECONDS, ChunkedList, seal_status_cwt, seal_status_jwt

FORMS = ("jwt", "cwt")
Reader = Callable[[StatusListRow, str, str], bytes]
"""The octets of a list (row, form, SHA-256 as published) as a stranger reads them.

It raises UnavailableError."""


@dataclass
class Built:
    """A list as it was built last, and the tokens made of it.

    changes     how often the list had been changed when it was read; -1: never read
    compressed  all its values; b"": to be made
    files       no tokens where its values changed after them
    """

    values: ChunkedList
    entries: Mapping[int, frozenset[int]] = field(default_factory=dict)
    changes: int = -1
    compressed: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)

    def bring_up(self, entries: Mapping[int, frozenset[int]]) -> None:
        """Take over what the database says: value -> the indices that have it."""
        if entries == self.entries:
            return
        for value, indices in self.entries.items():
            for idx in indices - entries.get(value, frozenset()):
                self.values.set(idx, 0)
        for value, indices in entries.items():
            for idx in indices - self.entries.get(value, frozenset()):
                self.values.set(idx, value)
        self.entries, self.compressed, self.files = entries, b"", {}


def build_lists(office: Office, code: str) -> None:
    """Read and compress the lists of a jurisdiction that changed since they were built last."""
    with office.reading() as session:
        for one in repository.lists_of(session, code):
            _build(office, session, one)


def _build(office: Office, session: Session, one: StatusListRow) -> Built:
    built: Built | None = office.built.get(one.id)
    if built is None:
        built = office.built[one.id] = Built(ChunkedList(entries=one.size, bits=one.bits))
    if built.changes != one.changes:
        built.bring_up(repository.set_entries(session, one.id))
        built.changes = one.changes
    built.compressed = built.compressed or built.values.compressed()
    return built


def token_files(
    office: Office,
    session: Session,
    row: JurisdictionRow,
    *,
    now: int,
    published: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Both tokens of every list of a jurisdiction, by target path.

    published  target path -> SHA-256 of the tokens in force: a list that did not change keeps
               them; None: all are made anew, which says that nothing newer exists
    """
    key = _provider_keys(session, row)[0]
    files: dict[str, bytes] = {}
    for one in repository.lists_of(session, row.code):
        files |= _tokens(office, session, one, key, now=now, published=published)
    return files


def _provider_keys(session: Session, row: JurisdictionRow) -> list[EntityKeyRow]:
    """The keys that may sign status tokens. Raises UnavailableError where there are none."""
    found = [
        key
        for entity in issuers.entities_of(session, row.code, ("status",))
        for key in issuers.keys_of(session, entity, "status")
    ]
    if not found:
        raise UnavailableError(f"{row.code} has no status key: the database is damaged")
    return found


def _tokens(
    office: Office,
    session: Session,
    one: StatusListRow,
    key: EntityKeyRow,
    *,
    now: int,
    published: Mapping[str, str] | None,
) -> Mapping[str, bytes]:
    built = _build(office, session, one)
    is_old = now >= one.issued_at + LIFE_SECONDS // 2  # no whole publication for days
    if published is None or is_old or not _in_force(built.files, published):
        one.issued_at = max(now, one.issued_at)  # never older than the one before
        built.files = _sealed(office, one, key, built.compressed)
    return built.files


def _in_force(files: Mapping[str, bytes], published: Mapping[str, str]) -> bool:
    """Whether these are the tokens that were published last, by this process or another."""
    return bool(files) and all(published.get(path) == sha256(files[path]) for path in files)


def _sealed(
    office: Office, one: StatusListRow, key: EntityKeyRow, compressed: bytes
) -> dict[str, bytes]:
    signer = office.signer(key.kid)
    said: dict[str, Any] = {
        "uri": one.uri,
        "bits": one.bits,
        "compressed": compressed,
        "issued_at": one.issued_at,
        "expires_at": one.issued_at + LIFE_SECONDS,
        "aggregation_uri": one.uri.rpartition("/")[0],
    }
    chain = [b64_decode(text) for text in key.x5c]
    return {
        f"{STATUS}{one.id}.jwt": seal_status_jwt(**said, signer=signer, x5c=key.x5c),
        f"{STATUS}{one.id}.cwt": seal_status_cwt(**said, signer=signer, x5chain=chain),
    }


# --- reading back ---------------------------------------------------------------------------------


def read_back(office: Office, code: str, reader: Reader | None = None) -> None:
    """Open lists for use whose tokens can be read in public. Raises UnavailableError.

    reader  how a stranger reads them; None: from the public folder
    """
    with office.reading() as session:
        waiting = [one for one in repository.lists_of(session, code) if one.published_at is None]
        row = get_jurisdiction(session, code)
        status = latest(session, code, "status")
        named = named_targets(status.data) if status else {}
        keys = [PublicKey.from_jwk(key.jwk) for key in _provider_keys(session, row)]
    for one in waiting:
        if f"{STATUS}{one.id}.jwt" in named:
            _check_public(reader or folder_reader(office, code), named, one, keys)
            with office.transaction() as session:
                repository.open_list(session, one.id, now=office.now)


def folder_reader(office: Office, code: str) -> Reader:
    """Reads the files of the public folder."""
    folder = office.settings.public / file_code(code) / "targets" / STATUS

    def read(one: StatusListRow, form: str, digest: str) -> bytes:
        return read_bounded(folder / f"{digest}.{one.id}.{form}", MAX_LIST_BYTES)

    return read


def _check_public(
    reader: Reader, named: Mapping[str, str], one: StatusListRow, keys: list[PublicKey]
) -> None:
    for form in FORMS:
        try:
            token = reader(one, form, named[f"{STATUS}{one.id}.{form}"])
            admit(token, uri=one.uri, keys={key.kid: key for key in keys}, now=one.issued_at)
        except InputError as error:
            raise UnavailableError(
                f"the list {one.uri} cannot be read back: {error.message}",
                code="STATUS_LIST_UNPUBLISHED",
                hint="No index of it was handed out.",
            ) from error
