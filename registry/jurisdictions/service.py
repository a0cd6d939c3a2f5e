"""Making a jurisdiction: all its keys, its certificate authority, its first root.

A development ceremony: the keys of officers, list office, status provider and operator are software
keys in one keystore, and `root.json` says so (`dev`). What is made here is never changed
afterwards; rotation is a command of its own, later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from registry.issuers import repository as issuers
from registry.issuers.certificates import MAX_ORGANISATION_CHARS, random_serial
from registry.issuers.granting import grant_status_publishing
from registry.issuers.models import EntityRow
from registry.issuers.service import add_certified_key
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction
from registry.naming import check_names, is_body, is_host
from registry.office import DAY_SECONDS, Office
from registry.publishing.metadata import OFFICERS, ROLES, expiry, root_bytes, sha256
from registry.publishing.repository import add_publication, latest, versions
from registry.status_lists.service import new_list, status_prefix
from talentseal import x509
from talentseal.artefacts import NETWORK, RootInfo
from talentseal.compiling import overlapping
from talentseal.encoding import b64_decode, b64_encode
from talentseal.errors import RefusedError, UsageError
from talentseal.keys import PublicKey, SoftwareSigner
from talentseal.territory import contains, is_territory

YEAR_SECONDS = 365 * DAY_SECONDS
CA_LIFE = 20 * YEAR_SECONDS
SUB_CA_LIFE = 15 * YEAR_SECONDS


@dataclass(frozen=True, slots=True)
class NewJurisdiction:
    """What is asked for. `territory` empty: the code itself."""

    code: str
    entity_id: str
    names: Mapping[str, str]
    namespaces: Sequence[str]
    territory: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Keys:
    """The signers of one jurisdiction by purpose."""

    by_purpose: Mapping[str, Sequence[SoftwareSigner]]

    def one(self, purpose: str) -> SoftwareSigner:
        return self.by_purpose[purpose][0]

    def publics(self, purpose: str) -> list[PublicKey]:
        return [signer.public for signer in self.by_purpose[purpose]]


# --- making ---------------------------------------------------------------------------------------


def create_jurisdiction(office: Office, wanted: NewJurisdiction) -> JurisdictionRow:
    """Keys, certificates, root, status provider and its first list, in one transaction.

    Raises UsageError for impossible names, RefusedError `NAMESPACE_OVERLAP`.
    """
    check_names(wanted.names, max_chars=MAX_ORGANISATION_CHARS)
    _check(wanted)
    with office.reading() as session:
        _check_free(session, wanted)
    keys = _make_keys(office)  # in the keystore, before anything speaks of them
    with office.transaction() as session:
        return _add(office, session, wanted, keys)


def create_within(office: Office, session: Session, wanted: NewJurisdiction) -> JurisdictionRow:
    """The same in the transaction of a caller, who keeps other writers waiting meanwhile."""
    check_names(wanted.names, max_chars=MAX_ORGANISATION_CHARS)
    _check(wanted)
    _check_free(session, wanted)  # before keys are made
    return _add(office, session, wanted, _make_keys(office))


def _add(
    office: Office, session: Session, wanted: NewJurisdiction, keys: _Keys
) -> JurisdictionRow:  # fmt: skip
    _check_free(session, wanted)
    row = _row(office, wanted, keys)
    session.add(row)
    session.flush()
    office.note(session, "jurisdiction", row.code)
    _add_root_entity(office, session, row, keys)
    data = _first_root(office, row, keys)
    add_publication(
        session, row.code, "root", 1, data, expires=expiry("root", office.now), now=office.now
    )
    prefix = status_prefix(row.entity_id)
    provider = _add_status_provider(office, session, row, keys)
    grant_status_publishing(office, session, row, provider, prefix)
    new_list(session, row.code, prefix)
    return row


def _check(wanted: NewJurisdiction) -> None:
    if not is_territory(wanted.code) or "x-" in wanted.code:
        raise UsageError(f"{wanted.code} is no jurisdiction code such as HK or CN/4403")
    wrong = [name for name in wanted.namespaces if not is_host(name)]
    if wrong or not wanted.namespaces:
        raise UsageError(
            f"{wrong[0][:80]} is no name space" if wrong else "a jurisdiction needs a name space",
            hint="Name spaces are DNS suffixes: --namespace sz.example.",
        )
    if not is_body(wanted.entity_id, wanted.namespaces):
        raise UsageError(
            f"{wanted.entity_id} is no https URL inside the name spaces of the jurisdiction"
        )
    for place in wanted.territory:
        if not is_territory(place) or not contains(wanted.code[:2], place):
            raise UsageError(f"{place} is no territory in {wanted.code[:2]}")


def _check_free(session: Session, wanted: NewJurisdiction) -> None:
    others = all_jurisdictions(session)
    if any(wanted.code == row.code or wanted.entity_id == row.entity_id for row in others):
        raise UsageError(f"{wanted.code} exists already", hint="See: registry jurisdiction list")
    spaces = {row.code: row.namespaces for row in others}
    if overlapping({**spaces, wanted.code: list(wanted.namespaces)}):
        raise RefusedError(
            f"the name spaces of {wanted.code} overlap those of another jurisdiction",
            code="NAMESPACE_OVERLAP",
            hint="Choose a suffix that nobody else has.",
        )


def _make_keys(office: Office) -> _Keys:
    """TUF roles on Ed25519 (short, and the same signature for the same text), others on P-256."""
    counts = {
        "tuf_root": OFFICERS,
        "tuf_targets": OFFICERS,
        "tuf_snapshot": 1,
        "tuf_timestamp": 1,
        "tuf_status": 1,
    }
    made = {name: [office.new_key("EdDSA") for _ in range(n)] for name, n in counts.items()}
    for purpose in ("statement", "list", "status", "ca", "sub_ca"):
        made[purpose] = [office.new_key()]
    return _Keys(made)


def _row(office: Office, wanted: NewJurisdiction, keys: _Keys) -> JurisdictionRow:
    country, organisation = wanted.code[:2], wanted.names["en"]
    ca = x509.make_root_ca(
        keys.one("ca"),
        common_name=f"Talentseal {wanted.code} CA",
        organisation=organisation,
        country=country,
        namespaces=wanted.namespaces,
        not_before=office.start,
        not_after=office.start + CA_LIFE,
        serial=random_serial(),
    )
    sub_ca = x509.make_sub_ca(
        ca,
        keys.one("ca"),
        keys.one("sub_ca").public,
        common_name=f"Talentseal {wanted.code} issuing CA",
        organisation=organisation,
        country=country,
        not_before=office.start,
        not_after=office.start + SUB_CA_LIFE,
        serial=random_serial(),
    )
    return JurisdictionRow(
        code=wanted.code,
        entity_id=wanted.entity_id,
        country=country,
        names=dict(wanted.names),
        territory=list(wanted.territory) or [wanted.code],
        namespaces=list(wanted.namespaces),
        dev=office.keystore.dev,
        ca=b64_encode(x509.der_of(ca)),
        sub_ca=b64_encode(x509.der_of(sub_ca)),
        verifier_hosts=[f"verify.{wanted.namespaces[0]}"],
        created_at=office.now,
    )


def _add_root_entity(
    office: Office, session: Session, row: JurisdictionRow, keys: _Keys
) -> EntityRow:
    root = issuers.add_entity(
        session, row.code, entity_id=row.entity_id, kind="root", names=row.names, now=office.now
    )
    for purpose in keys.by_purpose:
        if purpose not in ("status", "list"):
            for public in keys.publics(purpose):
                issuers.add_key(session, root, public, purpose=purpose, nbf=office.start)
    public = keys.one("list").public
    add_certified_key(office, session, row, root, public, purpose="list")
    return root


def _add_status_provider(
    office: Office, session: Session, row: JurisdictionRow, keys: _Keys
) -> EntityRow:
    provider = issuers.add_entity(
        session,
        row.code,
        entity_id=f"{row.entity_id.rstrip('/')}/status",
        kind="status",
        names={tag: f"{name} · status" for tag, name in row.names.items()},
        now=office.now,
    )
    public = keys.one("status").public
    add_certified_key(office, session, row, provider, public, purpose="status")
    return provider


def _first_root(office: Office, row: JurisdictionRow, keys: _Keys) -> bytes:
    info = RootInfo(
        network=NETWORK,
        jurisdiction=row.code,
        entity_id=row.entity_id,
        names=row.names,
        dev=row.dev,
        territory=row.territory,
        namespaces=row.namespaces,
        statement_keys={key.kid: key for key in keys.publics("statement")},
        ca_s256=frozenset([sha256(b64_decode(row.ca))]),
        list_jkt=frozenset(key.kid for key in keys.publics("list")),
    )
    names = ("root", "targets", "snapshot", "timestamp")
    role_keys = {name: keys.publics(f"tuf_{name}") for name in names}
    officers = keys.by_purpose["tuf_root"]
    return root_bytes(info, role_keys, version=1, now=office.now, signers=officers)


# --- looking --------------------------------------------------------------------------------------


def first_root(session: Session, code: str) -> bytes:
    """The octets of a jurisdiction's first root: what others pin. Raises UsageError."""
    get_jurisdiction(session, code)
    return versions(session, code, "root")[0].data


def describe(session: Session, row: JurisdictionRow) -> dict[str, Any]:
    """A jurisdiction for people and machines; nothing in it is secret."""
    newest = {role: latest(session, row.code, role) for role in ROLES}
    return {
        "jurisdiction": row.code,
        "entity_id": row.entity_id,
        "names": row.names,
        "territory": row.territory,
        "namespaces": row.namespaces,
        "dev": row.dev,
        "root_s256": sha256(first_root(session, row.code)),
        "versions": {role: found.version for role, found in newest.items() if found},
    }
