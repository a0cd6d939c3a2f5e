"""The trust list of a jurisdiction, derived from its entities and statements.

It is signed anew, with the next sequence number, only when it says something else than before or
its own term comes near its end; the same facts give the same octets.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from registry.issuers import repository as issuers
from registry.issuers.granting import Statements
from registry.issuers.models import EntityKeyRow, EntityRow
from registry.issuers.service import role_keys
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import all_jurisdictions
from registry.office import DAY_SECONDS, Office
from registry.publishing.repository import latest
from schemas.types import type_id_of
from talentseal.artefacts import LIST, file_code
from talentseal.encoding import (
    MAX_LIST_BYTES,
    MAX_METADATA_DEPTH,
    b64_decode,
    parse_json,
    parse_time,
    to_seconds,
)
from talentseal.jose import parse_jws
from talentseal.lote import (
    MAX_LIST_MEMBERS,
    Address,
    Listed,
    ListedKey,
    Pointer,
    Scheme,
    Service,
    build_list,
    seal_list,
)
from talentseal.statements import BASE, Withdrawal
from talentseal.x509 import host_of

Key = TypeVar("Key")
Value = TypeVar("Value")

LIST_LIFE_SECONDS = 180 * DAY_SECONDS
LIST_RENEWAL_SECONDS = 60 * DAY_SECONDS  # signed anew when less than this is left

# (entity id, service type) -> status and since when, as the list before says it
Since = Mapping[tuple[str, str], tuple[str, int]]


def trust_list(
    office: Office, session: Session, row: JurisdictionRow, held: Statements, *, now: int
) -> tuple[str, int]:
    """The list as published before if it still says the same, else the next one."""
    before = latest(session, row.code, LIST)
    previous = _payload(before.data) if before else None
    lister = _Lister(session, row, held, since=_since(previous), now=now)
    number = 0
    if before and previous:
        scheme = previous["LoTE"]["ListAndSchemeInformation"]
        number = scheme["LoTESequenceNumber"]
        issued, until = _moment(scheme, "ListIssueDateTime"), _moment(scheme, "NextUpdate")
        fresh = now < until - LIST_RENEWAL_SECONDS
        if fresh and lister.build(number, issued, until) == previous:
            return before.data.decode(), number
    payload = lister.build(number + 1, now, now + LIST_LIFE_SECONDS)
    return _sealed(office, session, row, payload, now=now), number + 1


def _payload(text: bytes) -> dict[str, Any]:
    """The document inside a list of our own."""
    payload: dict[str, Any] = parse_json(
        parse_jws(text.decode(), max_bytes=MAX_LIST_BYTES).payload,
        max_bytes=MAX_LIST_BYTES,
        max_depth=MAX_METADATA_DEPTH,
        max_members=MAX_LIST_MEMBERS,
    )
    return payload


def _moment(members: Mapping[str, Any], name: str) -> int:
    return to_seconds(parse_time(members[name]))


def _since(payload: Mapping[str, Any] | None) -> dict[tuple[str, str], tuple[str, int]]:
    """When each service got its present status. TS 119 602: never before the list that says it."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for entity in payload["LoTE"].get("TrustedEntitiesList", ()) if payload else ():
        extensions = entity["TrustedEntityInformation"]["TEInformationExtensions"]
        entity_id = next(one["entity"]["id"] for one in extensions if "entity" in one)
        for service in entity["TrustedEntityServices"]:
            told = service["ServiceInformation"]
            kind = told["ServiceTypeIdentifier"].removeprefix(f"{BASE}/svc/")
            status = told["ServiceStatus"].rsplit("/", 1)[1]
            found[entity_id, kind] = (status, _moment(told, "StatusStartingTime"))
    return found


def _sealed(
    office: Office, session: Session, row: JurisdictionRow, payload: Any, *, now: int
) -> str:
    key = role_keys(session, row, "list")[0]
    return seal_list(payload, signer=office.signer(key.kid), x5c=key.x5c, iat=now)


def _scheme(row: JurisdictionRow) -> Scheme:
    return Scheme(
        country=row.country,
        operator=row.names,
        address=_address(row, row.entity_id),
        name={tag: f"Issuers of {row.code} · {name}" for tag, name in row.names.items()},
        information_uri=row.entity_id,
    )


def _address(row: JurisdictionRow, entity_id: str) -> Address:
    host = host_of(entity_id)
    return Address(
        street="See web site", country=row.country, email=f"contact@{host}", website=entity_id
    )


def _pointers(session: Session, row: JurisdictionRow) -> list[Pointer]:
    return [
        Pointer(
            location=f"{peer.entity_id.rstrip('/')}/lists/{file_code(peer.code)}/issuers.jws",
            country=peer.country,
            operator=peer.names,
            certificates=[b64_decode(role_keys(session, peer, "list")[0].x5c[0])],
        )
        for peer in all_jurisdictions(session)
        if peer.code != row.code
    ]


class _Lister:
    """Turns rows into the entries of a list."""

    def __init__(
        self,
        session: Session,
        row: JurisdictionRow,
        held: Statements,
        *,
        since: Since,
        now: int,
    ) -> None:
        self.session = session
        self.row = row
        self.held = held
        self.since = since
        self.now = now
        self.keys = _grouped(
            ((key.entity, key.purpose), key) for key in issuers.all_keys_of(session, row.code)
        )
        self.grants = _grouped((one.sub, one) for one in held.grants)
        self.delegations = _grouped((one.sub, one) for one in held.delegations)

    def build(self, sequence: int, issued_at: int, next_update: int) -> dict[str, Any]:
        """The document of the list with that number and term."""
        return build_list(
            _scheme(self.row),
            self.listed(),
            sequence=sequence,
            issued_at=issued_at,
            next_update=next_update,
            pointers=_pointers(self.session, self.row),
        )

    def listed(self) -> list[Listed]:
        """One entry for each body, whatever it is; bodies without any right are left out."""
        rows = issuers.entities_of(self.session, self.row.code)
        bodies = _grouped((row.entity_id, row) for row in rows)
        found = []
        for entity_id, entities in bodies.items():
            services = [one for entity in entities for one in self._services(entity)]
            if services:
                address = _address(self.row, entity_id)
                found.append(Listed(entity_id, entities[0].names, address, services))
        return found

    def _services(self, entity: EntityRow) -> list[Service]:
        if entity.kind in ("root", "authority"):
            return self._authority(entity)
        if entity.kind == "status":
            return self._status_provider(entity)
        return self._issuer(entity)

    def _authority(self, entity: EntityRow) -> list[Service]:
        delegations = self.delegations.get(entity.entity_id, [])
        if not delegations:
            return []
        return [
            Service(
                "authority",
                self._start(entity, "authority", "granted"),
                self._keys(entity, "statement"),
                delegations=[one.jws for one in delegations],
                statements=self._endings(delegations),
            )
        ]

    def _status_provider(self, entity: EntityRow) -> list[Service]:
        grants = self.grants.get(entity.entity_id, [])
        return [
            Service(
                "status",
                self._start(entity, "status", "granted"),
                self._keys(entity, "status"),
                certificates=self._certificates(entity, "status"),
                grants=[one.jws for one in grants],
                statements=self._endings(grants),
            )
        ]

    def _issuer(self, entity: EntityRow) -> list[Service]:
        """One service for each type, so that no reader can take a right for a wider one."""
        every = self.grants.get(entity.entity_id, [])
        found = []
        for vct in sorted({vct for one in every for vct in one.vct}):
            grants = [one for one in every if vct in one.vct]
            states = [self.held.state(one, self.now) for one in grants]
            status = _service_status(states)
            kind = f"issue/{type_id_of(vct)}"
            found.append(
                Service(
                    kind,
                    self._start(entity, kind, status),
                    self._keys(entity, "credential"),
                    status=status,
                    certificates=self._certificates(entity, "credential"),
                    grants=[one.jws for one in grants],
                    statements=self._endings(grants),
                )
            )
        return found

    def _start(self, entity: EntityRow, kind: str, status: str) -> int:
        told, since = self.since.get((entity.entity_id, kind), ("", 0))
        return since if told == status else self.now

    def _endings(self, statements: Iterable[Any]) -> list[str]:
        endings: list[Withdrawal] = [w for one in statements for w in self.held.endings(one)]
        return [withdrawal.jws for withdrawal in endings]

    def _keys(self, entity: EntityRow, purpose: str) -> list[ListedKey]:
        return [_listed_key(row) for row in self.keys.get((entity.id, purpose), [])]

    def _certificates(self, entity: EntityRow, purpose: str) -> list[bytes]:
        rows = self.keys.get((entity.id, purpose), [])
        return [b64_decode(row.x5c[0]) for row in rows if row.x5c and row.state == "active"]


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    groups: dict[Key, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _listed_key(row: EntityKeyRow) -> ListedKey:
    state: Any = row.state
    return ListedKey(row.jwk, row.kid, row.nbf, row.sign_until, state)


def _service_status(states: Sequence[str]) -> Any:
    if any(state in ("in force", "not yet") for state in states):
        return "granted"
    return "suspended" if "suspended" in states else "withdrawn"
