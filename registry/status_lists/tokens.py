"""Signed status tokens: built from the entries, and read back as a stranger would.

Only chunks that hold something are compressed anew; an empty list costs almost nothing. A new list
counts as published once both its tokens were read from the public folder and admitted under the
provider's keys.
"""

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from registry.issuers import repository as issuers
from registry.issuers.models import EntityKeyRow
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import get_jurisdiction
from registry.office import Office
from registry.publishing.metadata import named_targets
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


def token_files(
    office: Office, session: Session, row: JurisdictionRow, *, now: int
) -> dict[str, bytes]:
    """Both tokens of every list of a jurisdiction, by target path."""
    key = _provider_keys(session, row)[0]
    files: dict[str, bytes] = {}
    for one in repository.lists_of(session, row.code):
        one.issued_at = max(now, one.issued_at)  # never older than the one before
        files |= _tokens(office, session, one, key)
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
    office: Office, session: Session, one: StatusListRow, key: EntityKeyRow
) -> dict[str, bytes]:
    values = ChunkedList(entries=one.size, bits=one.bits)
    for idx, value in repository.set_entries(session, one.id).items():
        values.set(idx, value)
    signer = office.signer(key.kid)
    said: dict[str, Any] = {
        "uri": one.uri,
        "bits": one.bits,
        "compressed": values.compressed(),
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


def read_back(office: Office, code: str) -> None:
    """Open lists for use whose tokens can be read in public. Raises UnavailableError."""
    folder = office.settings.public / file_code(code) / "targets"
    with office.transaction() as session:
        row = get_jurisdiction(session, code)
        status = latest(session, code, "status")
        named = named_targets(status.data) if status else {}
        keys = [PublicKey.from_jwk(key.jwk) for key in _provider_keys(session, row)]
        for one in repository.lists_of(session, code):
            if one.published_at is None and f"{STATUS}{one.id}.jwt" in named:
                _check_public(folder, named, one, keys, now=one.issued_at)
                one.published_at = office.now


def _check_public(
    folder: Path, named: dict[str, str], one: StatusListRow, keys: list[PublicKey], *, now: int
) -> None:
    for form in FORMS:
        path = f"{STATUS}{one.id}.{form}"
        public = folder / STATUS / f"{named[path]}.{one.id}.{form}"
        try:
            token = read_bounded(public, MAX_LIST_BYTES)
            admit(token, uri=one.uri, keys={key.kid: key for key in keys}, now=now)
        except InputError as error:
            raise UnavailableError(
                f"the list {one.uri} cannot be read back: {error.message}",
                code="STATUS_LIST_UNPUBLISHED",
                hint="No index of it was handed out.",
            ) from error
