"""Entities, their keys, and the statements about them, kept word for word."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base


class EntityRow(Base):
    """A body in one capacity: `root`, `authority`, `issuer` or `status`."""

    __tablename__ = "entity"
    __table_args__ = (UniqueConstraint("jurisdiction", "entity_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(ForeignKey("jurisdiction.code"))
    entity_id: Mapped[str]
    kind: Mapped[str]
    names: Mapped[dict[str, str]]
    created_at: Mapped[int]


class EntityKeyRow(Base):
    """A public key of an entity.

    purpose     credential, statement, list, status, ca, sub_ca, or tuf_<role>
    x5c         certificate chain as base64 DER, leaf first, anchor left out; empty for some
    nbf         may seal from this full hour on; `sign_until` is the end, None for no end
    proof       the signed request by which its holder showed that it has the private key
    """

    __tablename__ = "entity_key"
    __table_args__ = (
        UniqueConstraint("entity", "purpose", "kid"),
        Index("entity_key_by_kid", "kid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entity: Mapped[int] = mapped_column(ForeignKey("entity.id"))
    kid: Mapped[str]
    purpose: Mapped[str]
    jwk: Mapped[dict[str, str]]
    x5c: Mapped[list[str]]
    nbf: Mapped[int]
    sign_until: Mapped[int | None]
    state: Mapped[str]
    proof: Mapped[str | None]


class EnrolmentRequestRow(Base):
    """A request that came in from outside and waits for an operator, or was decided.

    id     SHA-256 (hex) of the signed text
    jws    the text; its names are those of a body
    state  waiting, accepted or refused
    """

    __tablename__ = "enrolment_request"
    __table_args__ = (Index("enrolment_request_by_state", "state", "received_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(ForeignKey("jurisdiction.code"))
    entity_id: Mapped[str]
    names: Mapped[dict[str, str]]
    kid: Mapped[str]
    jws: Mapped[str]
    state: Mapped[str]
    received_at: Mapped[int]
    decided_at: Mapped[int | None]
    decided_by: Mapped[str | None]


class StatementRow(Base):
    """A signed statement. Rows are never changed or removed (a trigger sees to it).

    kind     delegation, grant, recognition or withdrawal
    subject  entity id it is about; for a withdrawal the `jti` of the statement it ends
    """

    __tablename__ = "statement"
    __table_args__ = (Index("statement_by_subject", "jurisdiction", "kind", "subject"),)

    jti: Mapped[str] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(ForeignKey("jurisdiction.code"))
    kind: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    jws: Mapped[str]
    sha256: Mapped[str]
    nbf: Mapped[int | None]
    exp: Mapped[int | None]
    created_at: Mapped[int]
