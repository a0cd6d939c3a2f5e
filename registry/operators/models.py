"""Accounts of operators; tokens are kept as digests."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base


class OperatorRow(Base):
    """One account. It stays when it has ended, so that nobody gets its name again."""

    __tablename__ = "operator"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]]
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[int]
    ended_at: Mapped[int | None]
