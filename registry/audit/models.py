"""The table of acts."""

from sqlalchemy import Index
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
