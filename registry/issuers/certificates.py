"""Leaf certificates for keys of listed entities, signed by the jurisdiction's issuing authority."""

from typing import NamedTuple

from registry.jurisdictions.models import JurisdictionRow
from registry.office import DAY_SECONDS, Office
from talentseal import x509
from talentseal.encoding import b64_decode
from talentseal.errors import UnavailableError
from talentseal.keys import PublicKey

SIGNING_WINDOW_SECONDS = 365 * DAY_SECONDS
# A strict verifier judges the path today, so a leaf outlives its window by the longest life of
# what it seals: five years for titles.
AFTERLIFE_SECONDS = 5 * 365 * DAY_SECONDS
MAX_ORGANISATION_CHARS = 64  # RFC 5280, upper bound of organizationName


class Certified(NamedTuple):
    """A chain (base64 DER, leaf first, anchor left out) and the window in which its key signs."""

    x5c: list[str]
    nbf: int
    sign_until: int


def certify(
    office: Office,
    jurisdiction: JurisdictionRow,
    public: PublicKey,
    *,
    entity_id: str,
    name: str,
) -> Certified:
    """A certificate that binds `public` to `entity_id`. Raises UsageError, UnavailableError."""
    authority = x509.load_certificate(b64_decode(jurisdiction.sub_ca))
    key = x509.read_leaf(authority).public
    if key is None:
        raise UnavailableError(f"the issuing authority of {jurisdiction.code} is damaged")
    window_end = office.start + SIGNING_WINDOW_SECONDS
    leaf = x509.make_leaf(
        authority,
        office.signer(key.kid),
        public,
        entity_id=entity_id,
        organisation=name[:MAX_ORGANISATION_CHARS],
        country=jurisdiction.country,
        not_before=office.start,
        window_end=window_end,
        not_after=window_end + AFTERLIFE_SECONDS,
        serial=random_serial(),
    )
    return Certified(x509.chain_text([leaf, authority]), office.start, window_end)


def random_serial() -> int:
    """A serial number as RFC 5280 wants it, with the randomness that makes it unguessable."""
    from cryptography.x509 import random_serial_number

    return random_serial_number()
