"""Status lists, the blocks handed to issuers, every index ever given out, and the orders taken."""

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base


class StatusListRow(Base):
    """One list of a jurisdiction.

    seed          secret of the permutation that turns counters into indices
    next_free     the next counter to be handed out; only rises
    issued_at     `iat` of its newest token; only rises
    published_at  when its first token was read back from the public folder
    changes       how often entries of it were changed: the same number, the same list
    """

    __tablename__ = "status_list"

    id: Mapped[str] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(ForeignKey("jurisdiction.code"))
    uri: Mapped[str] = mapped_column(unique=True)
    bits: Mapped[int]
    size: Mapped[int]
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    next_free: Mapped[int]
    issued_at: Mapped[int]
    published_at: Mapped[int | None]
    changes: Mapped[int] = mapped_column(server_default=text("0"))


class StatusBlockRow(Base):
    """Counters `start` to `start + count` of a list, set aside for one issuer."""

    __tablename__ = "status_block"
    __table_args__ = (
        UniqueConstraint("list_id", "start"),
        Index("status_block_by_issuer", "issuer", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    list_id: Mapped[str] = mapped_column(ForeignKey("status_list.id"))
    issuer: Mapped[int] = mapped_column(ForeignKey("entity.id"))
    start: Mapped[int]
    count: Mapped[int]
    created_at: Mapped[int]


class StatusEntryRow(Base):
    """An index that was handed out; the primary key keeps it from being handed out twice.

    position  its place in the block
    seq       number of the order that last changed it
    """

    __tablename__ = "status_entry"
    __table_args__ = (
        Index("status_entry_by_block", "block", "position"),
        Index(
            "status_entry_set",
            "list_id",
            sqlite_where=text("value != 0"),
            postgresql_where=text("value != 0"),
        ),
    )

    list_id: Mapped[str] = mapped_column(ForeignKey("status_list.id"), primary_key=True)
    idx: Mapped[int] = mapped_column(primary_key=True)
    block: Mapped[str] = mapped_column(ForeignKey("status_block.id"))
    position: Mapped[int]
    value: Mapped[int]
    seq: Mapped[int]
    changed_at: Mapped[int]


class StatusBlockRequestRow(Base):
    """A request that was answered with a block. Rows are never changed (a trigger sees to it)."""

    __tablename__ = "status_block_request"

    issuer: Mapped[int] = mapped_column(ForeignKey("entity.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    block: Mapped[str] = mapped_column(ForeignKey("status_block.id"))
    taken_at: Mapped[int]


class StatusOrderRow(Base):
    """An order that was taken, once, and kept as proof of who asked."""

    __tablename__ = "status_order"
    __table_args__ = (UniqueConstraint("issuer", "jti"),)

    issuer: Mapped[int] = mapped_column(ForeignKey("entity.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    jti: Mapped[str]
    sha256: Mapped[str]
    jws: Mapped[str]
    taken_at: Mapped[int]
