"""Everything that was ever published, by jurisdiction, path and version."""

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base


class PublicationRow(Base):
    """One version of one file. Rows are never changed or removed (a trigger sees to it).

    path     a TUF role (`root`, `targets`, `status`, `snapshot`, `timestamp`) or a target path
    version  of the role; for a target the version of the role that first named these octets
    """

    __tablename__ = "publication"
    __table_args__ = (Index("publication_by_digest", "jurisdiction", "path", "sha256"),)

    jurisdiction: Mapped[str] = mapped_column(ForeignKey("jurisdiction.code"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    expires: Mapped[int | None]
    created_at: Mapped[int]
