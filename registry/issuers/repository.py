"""All SQL about entities, keys and statements."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from registry.issuers.models import EnrolmentRequestRow, EntityKeyRow, EntityRow, StatementRow
from talentseal.errors import UsageError
from talentseal.keys import PublicKey

# --- entities -------------------------------------------------------------------------------------


def add_entity(
    session: Session,
    jurisdiction: str,
    *,
    entity_id: str,
    kind: str,
    names: dict[str, str],
    now: int,
) -> EntityRow:
    row = EntityRow(
        jurisdiction=jurisdiction, entity_id=entity_id, kind=kind, names=names, created_at=now
    )
    session.add(row)
    session.flush()
    return row


def entities_of(
    session: Session, jurisdiction: str, kinds: Collection[str] | None = None
) -> Sequence[EntityRow]:
    wanted = select(EntityRow).where(EntityRow.jurisdiction == jurisdiction)
    if kinds is not None:
        wanted = wanted.where(EntityRow.kind.in_(kinds))
    return session.scalars(wanted.order_by(EntityRow.id)).all()


def find_entity(session: Session, jurisdiction: str, entity_id: str, kind: str) -> EntityRow | None:
    wanted = select(EntityRow).where(
        EntityRow.jurisdiction == jurisdiction,
        EntityRow.entity_id == entity_id,
        EntityRow.kind == kind,
    )
    return session.scalars(wanted).one_or_none()


def get_issuer(session: Session, entity_id: str, jurisdiction: str | None = None) -> EntityRow:
    """The issuer of that id, in whichever jurisdiction lists it. Raises UsageError."""
    wanted = select(EntityRow).where(EntityRow.entity_id == entity_id, EntityRow.kind == "issuer")
    if jurisdiction is not None:
        wanted = wanted.where(EntityRow.jurisdiction == jurisdiction)
    found = session.scalars(wanted).all()
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{entity_id} is listed in several jurisdictions", hint="Add --jurisdiction CODE."
        )
    raise UsageError(
        f"no issuer {entity_id} is known here", code="NOT_FOUND", hint="See: registry issuer list"
    )


# --- keys -----------------------------------------------------------------------------------------


def add_key(
    session: Session,
    entity: EntityRow,
    public: PublicKey,
    *,
    purpose: str,
    nbf: int,
    sign_until: int | None = None,
    x5c: list[str] | None = None,
    proof: str | None = None,
) -> EntityKeyRow:
    row = EntityKeyRow(
        entity=entity.id,
        kid=public.kid,
        purpose=purpose,
        jwk=public.jwk,
        x5c=x5c or [],
        nbf=nbf,
        sign_until=sign_until,
        state="active",
        proof=proof,
    )
    session.add(row)
    session.flush()
    return row


def keys_of(session: Session, entity: EntityRow, purpose: str) -> Sequence[EntityKeyRow]:
    wanted = select(EntityKeyRow).where(
        EntityKeyRow.entity == entity.id, EntityKeyRow.purpose == purpose
    )
    return session.scalars(wanted.order_by(EntityKeyRow.id)).all()


def all_keys_of(session: Session, jurisdiction: str) -> Sequence[EntityKeyRow]:
    """Every key of every entity of a jurisdiction, in the order in which they came."""
    wanted = (
        select(EntityKeyRow)
        .join(EntityRow, EntityRow.id == EntityKeyRow.entity)
        .where(EntityRow.jurisdiction == jurisdiction)
    )
    return session.scalars(wanted.order_by(EntityKeyRow.id)).all()


def find_credential_keys(session: Session, kid: str) -> Sequence[tuple[EntityKeyRow, EntityRow]]:
    """The issuers' keys with this identifier."""
    wanted = (
        select(EntityKeyRow, EntityRow)
        .join(EntityRow, EntityRow.id == EntityKeyRow.entity)
        .where(EntityKeyRow.kid == kid, EntityKeyRow.purpose == "credential")
    )
    return [(key, entity) for key, entity in session.execute(wanted)]


# --- requests from outside ------------------------------------------------------------------------


def find_request(session: Session, request_id: str) -> EnrolmentRequestRow | None:
    return session.get(EnrolmentRequestRow, request_id)


def add_request(session: Session, row: EnrolmentRequestRow) -> None:
    session.add(row)
    session.flush()


def waiting_of(
    session: Session, entity_id: str, kid: str | None = None
) -> Sequence[EnrolmentRequestRow]:
    """Requests that wait of one body, or of one key of it."""
    wanted = _waiting().where(EnrolmentRequestRow.entity_id == entity_id)
    if kid is not None:
        wanted = wanted.where(EnrolmentRequestRow.kid == kid)
    return session.scalars(wanted).all()


def waiting_beyond(
    session: Session, count: int, entity_id: str | None = None
) -> Sequence[EnrolmentRequestRow]:
    """Requests that wait, of one body or of all, without the `count` newest."""
    wanted = _waiting()
    if entity_id is not None:
        wanted = wanted.where(EnrolmentRequestRow.entity_id == entity_id)
    newest_first = (EnrolmentRequestRow.received_at.desc(), EnrolmentRequestRow.id)
    return session.scalars(wanted.order_by(*newest_first).offset(count)).all()


def _waiting() -> Select[EnrolmentRequestRow]:
    return select(EnrolmentRequestRow).where(EnrolmentRequestRow.state == "waiting")


def remove_request(session: Session, row: EnrolmentRequestRow) -> None:
    session.delete(row)
    session.flush()


def requests_page(
    session: Session,
    state: str | None,
    kid: str | None,
    entity_id: str | None,
    *,
    after: str,
    limit: int,
) -> Sequence[EnrolmentRequestRow]:
    """Requests by identifier, behind one."""
    wanted = select(EnrolmentRequestRow).where(EnrolmentRequestRow.id > after)
    if state is not None:
        wanted = wanted.where(EnrolmentRequestRow.state == state)
    if kid is not None:
        wanted = wanted.where(EnrolmentRequestRow.kid == kid)
    if entity_id is not None:
        wanted = wanted.where(EnrolmentRequestRow.entity_id == entity_id)
    return session.scalars(wanted.order_by(EnrolmentRequestRow.id).limit(limit)).all()


def remove_requests(session: Session, *, before: int) -> None:
    """Remove the requests received before a moment that were not accepted."""
    session.execute(
        delete(EnrolmentRequestRow).where(
            EnrolmentRequestRow.state != "accepted", EnrolmentRequestRow.received_at < before
        )
    )


def bodies_page(
    session: Session, jurisdiction: str | None, kind: str | None, *, after: int, limit: int
) -> Sequence[EntityRow]:
    """Authorities, issuers and status providers in the order in which they came."""
    wanted = select(EntityRow).where(EntityRow.id > after, EntityRow.kind != "root")
    if jurisdiction is not None:
        wanted = wanted.where(EntityRow.jurisdiction == jurisdiction)
    if kind is not None:
        wanted = wanted.where(EntityRow.kind == kind)
    return session.scalars(wanted.order_by(EntityRow.id).limit(limit)).all()


# --- statements -----------------------------------------------------------------------------------


def add_statement(session: Session, row: StatementRow) -> None:
    session.add(row)
    session.flush()


def statements_of(
    session: Session, jurisdiction: str, kinds: Collection[str] | None = None
) -> Sequence[StatementRow]:
    wanted = select(StatementRow).where(StatementRow.jurisdiction == jurisdiction)
    if kinds is not None:
        wanted = wanted.where(StatementRow.kind.in_(kinds))
    return session.scalars(wanted.order_by(StatementRow.created_at, StatementRow.jti)).all()


def get_statement(session: Session, jti: str) -> StatementRow:
    """Raises UsageError `NOT_FOUND`."""
    found = session.get(StatementRow, jti)
    if found is None:
        raise UsageError(
            f"there is no statement {jti}", code="NOT_FOUND", hint="See: registry grant list"
        )
    return found
