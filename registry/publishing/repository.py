"""All SQL about publications."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from registry.publishing.metadata import sha256
from registry.publishing.models import PublicationRow


def add_publication(
    session: Session,
    jurisdiction: str,
    path: str,
    version: int,
    data: bytes,
    *,
    expires: int | None,
    now: int,
) -> None:
    """Keep one version; the primary key refuses other octets under a version that was used."""
    session.add(
        PublicationRow(
            jurisdiction=jurisdiction,
            path=path,
            version=version,
            sha256=sha256(data),
            data=data,
            expires=expires,
            created_at=now,
        )
    )
    session.flush()


def latest(session: Session, jurisdiction: str, path: str) -> PublicationRow | None:
    wanted = _of(jurisdiction, path).order_by(PublicationRow.version.desc()).limit(1)
    return session.scalars(wanted).one_or_none()


def versions(session: Session, jurisdiction: str, path: str) -> Sequence[PublicationRow]:
    """Every version of one path, oldest first."""
    return session.scalars(_of(jurisdiction, path).order_by(PublicationRow.version)).all()


def find_octets(session: Session, jurisdiction: str, path: str, digest: str) -> bytes | None:
    """The octets published under a path with that SHA-256 (hex)."""
    wanted = (
        select(PublicationRow.data)
        .where(
            PublicationRow.jurisdiction == jurisdiction,
            PublicationRow.path == path,
            PublicationRow.sha256 == digest,
        )
        .limit(1)
    )
    return session.scalars(wanted).one_or_none()


def has_octets(session: Session, jurisdiction: str, path: str, digest: str) -> bool:
    """Whether octets with that SHA-256 (hex) were published under a path."""
    wanted = select(PublicationRow.version).where(
        PublicationRow.jurisdiction == jurisdiction,
        PublicationRow.path == path,
        PublicationRow.sha256 == digest,
    )
    return session.scalar(wanted.limit(1)) is not None


def next_version(session: Session, jurisdiction: str, path: str) -> int:
    newest = session.scalar(
        select(func.max(PublicationRow.version)).where(
            PublicationRow.jurisdiction == jurisdiction, PublicationRow.path == path
        )
    )
    return (newest or 0) + 1


def _of(jurisdiction: str, path: str) -> Select[PublicationRow]:
    return select(PublicationRow).where(
        PublicationRow.jurisdiction == jurisdiction, PublicationRow.path == path
    )
