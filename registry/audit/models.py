"""The tables of acts, and of the chain over them."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base


class AuditRow(Base):
    """One act. Rows are never changed or removed (a trigger sees to it).

    actor    id of an operator, entity id of an issuer, or `command line`
    act      one of a fixed set of words, such as `grant`
    subject  what it was done to: a code, an entity id, the identifier of a statement
    """

    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_subject", "subject"),)

    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int]
    actor: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]


class AuditLinkRow(Base):
    """The digest of a row behind that of the row before (`talentseal.service.chain`)."""

    __tablename__ = "audit_link"

    number: Mapped[int] = mapped_column(ForeignKey("audit.number"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
