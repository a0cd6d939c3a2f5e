"""The jurisdictions of this registry: what their roots say about them."""

from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base


class JurisdictionRow(Base):
    """One jurisdiction.

    code                    `CN/4403`
    country                 two letters, as in its certificates
    ca, sub_ca              base64 DER of its certificate authority and of the one below
    verifier_hosts          pages that it stands by
    """

    __tablename__ = "jurisdiction"

    code: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(unique=True)
    country: Mapped[str]
    names: Mapped[dict[str, str]]
    territory: Mapped[list[str]]
    namespaces: Mapped[list[str]]
    dev: Mapped[bool]
    ca: Mapped[str]
    sub_ca: Mapped[str]
    verifier_hosts: Mapped[list[str]]
    created_at: Mapped[int]
