"""Certificate paths at a time: whose key sealed this, said by the jurisdiction's authority.

Three kinds of certificate exist: the jurisdiction's root authority with its name spaces, the
authority below it that signs every day, and leaves. A leaf binds a key to an entity id; the path
is judged at the moment of sealing, so a certificate that has expired since still speaks. A leaf
says nothing about rights: those stand in grants, and the list says until when a key may sign.
Nothing is fetched, and times are NumericDate.

Standards: RFC 5280 (paths by `cryptography`), `x5c` of RFC 7515 §4.1.6, leaf and anchor rules of
HAIP 1.0.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from talentseal.encoding import b64_decode, b64_encode, b64url_encode, from_seconds, to_seconds
from talentseal.errors import InputError, UsageError
from talentseal.keys import EcOrEdPublic, PublicKey, SoftwareSigner

# The certificate part of `cryptography` costs 50 ms to load; checking a code never needs it.
if TYPE_CHECKING:
    from cryptography import x509

MAX_CHAIN = 4
MAX_CHAIN_BYTES = 8 * 1024


class Leaf(NamedTuple):
    """What a leaf says, believed only after its path was checked.

    public         its key, None for a kind not allowed here
    signing_until  end of the private key's usage period, NumericDate
    """

    uris: tuple[str, ...]
    hosts: tuple[str, ...]
    country: str | None
    organisation: str | None
    public: PublicKey | None
    may_sign: bool
    signing_until: int | None


# --- reading --------------------------------------------------------------------------------------


def parse_x5c(value: Any) -> tuple[bytes, ...]:
    """The DER certificates of an `x5c` header, leaf first: at most 4, 8 KiB in all.

    Raises InputError `CERT_PATH_INVALID`.
    """
    if not isinstance(value, list) or not 0 < len(value) <= MAX_CHAIN:
        raise _invalid(f"x5c holds one to {MAX_CHAIN} certificates")
    if not all(isinstance(text, str) for text in value):
        raise _invalid("x5c holds texts")
    if sum(len(text) for text in value) > 2 * MAX_CHAIN_BYTES:
        raise _invalid("x5c is too long")  # before anything is decoded
    try:
        chain = tuple(b64_decode(text) for text in value)
    except InputError as error:
        raise _invalid("x5c holds something that is not base64") from error
    if sum(len(der) for der in chain) > MAX_CHAIN_BYTES:
        raise _invalid(f"the certificates of x5c have more than {MAX_CHAIN_BYTES} bytes")
    return chain


def load_anchors(texts: Sequence[str]) -> "list[x509.Certificate]":
    """Authorities from base64 DER. Raises InputError `MALFORMED` or `CERT_PATH_INVALID`."""
    return [load_certificate(b64_decode(text)) for text in texts]


def load_certificate(der: bytes) -> "x509.Certificate":
    """One certificate. Raises InputError `CERT_PATH_INVALID` for other bytes.

    Names and extensions are decoded only when somebody asks, so reading one may still refuse it.
    """
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        if certificate.serial_number > 0:  # RFC 5280 §4.1.2.2
            return certificate
    except _unreadable() as error:
        raise _invalid("not a certificate") from error
    raise _invalid("a certificate without a positive serial number")


def read_leaf(certificate: "x509.Certificate") -> Leaf:
    """The contents of a certificate that we use. Raises InputError `CERT_PATH_INVALID`."""
    from cryptography import x509

    try:
        return Leaf(
            *_alternative_names(certificate),
            country=_attribute(certificate, x509.NameOID.COUNTRY_NAME),
            organisation=_attribute(certificate, x509.NameOID.ORGANIZATION_NAME),
            public=_public_key(certificate.public_key()),
            may_sign=_may_sign(certificate),
            signing_until=_signing_until(certificate),
        )
    except _unreadable() as error:
        raise _invalid("a certificate with a part that cannot be read") from error


def _unreadable() -> tuple[type[Exception], ...]:
    """Everything by which `cryptography` says that a certificate breaks its rules."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    return (
        ValueError,
        TypeError,
        UserWarning,  # raised instead of printed where a program turns warnings into errors
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    )


def _alternative_names(certificate: "x509.Certificate") -> tuple[tuple[str, ...], tuple[str, ...]]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return (), ()
    names = extension.value
    return (
        tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        tuple(names.get_values_for_type(x509.DNSName)),
    )


def _attribute(certificate: "x509.Certificate", oid: Any) -> str | None:
    values = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]
    return values[0] if len(values) == 1 and isinstance(values[0], str) else None


def _public_key(key: object) -> PublicKey | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return PublicKey(key)
    return None


def _may_sign(certificate: "x509.Certificate") -> bool:
    from cryptography import x509

    extensions = certificate.extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            return False
        return not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.BasicConstraints.oid


def _signing_until(certificate: "x509.Certificate") -> int | None:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod)
    except x509.ExtensionNotFound:
        return None
    end = extension.value.not_after
    # RFC 5280 times are UTC; `cryptography` returns these two without saying so.
    return None if end is None else to_seconds(end.replace(tzinfo=UTC))


# --- checking -------------------------------------------------------------------------------------


def check_chain(
    chain: Sequence[bytes],
    *,
    anchors: "Sequence[x509.Certificate]",
    at: int,
    iss: str,
    kid: str,
) -> str | None:
    """Whether `chain` (DER, leaf first, anchor left out) leads from the issuer's key to an anchor.

    at   NumericDate of the sealing
    iss  entity id that the leaf must name, octet by octet
    kid  thumbprint of the key that the leaf must hold

    Returns None, or `CERT_PATH_INVALID`, `CERT_ISS_MISMATCH`, `CERT_KEY_MISMATCH`.
    """
    if not 0 < len(chain) <= MAX_CHAIN or not anchors:
        return "CERT_PATH_INVALID"
    try:
        certificates = [load_certificate(der) for der in chain]
        if not _is_path(certificates, anchors, at):
            return "CERT_PATH_INVALID"
        leaf = read_leaf(certificates[0])
    except InputError as error:
        return error.code
    except _unreadable():
        return "CERT_PATH_INVALID"
    if not leaf.may_sign:
        return "CERT_PATH_INVALID"
    # The name constraints of an authority bind hosts only. A leaf without its host among the
    # names would slip past them, so both names are demanded, and no other.
    if leaf.uris != (iss,) or leaf.hosts != (host_of(iss),):
        return "CERT_ISS_MISMATCH"
    if leaf.public is None or leaf.public.kid != kid:
        return "CERT_KEY_MISMATCH"
    return None


def lifetime(
    chain: Sequence[bytes], *, anchors: "Sequence[x509.Certificate]", iss: str, kid: str
) -> tuple[int, int] | None:
    """From when until when (NumericDates, the last included) `check_chain` finds nothing wrong.

    Between the latest beginning and the earliest end of all certificates, anchors included, no
    answer about any of them changes, so one check speaks for all that time. None where it finds
    something, and where no such time exists: nothing is then known, and a chain is checked anew.
    """
    try:
        certificates = [*map(load_certificate, chain), *anchors]
        begins = max(to_seconds(one.not_valid_before_utc) for one in certificates)
        ends = min(to_seconds(one.not_valid_after_utc) for one in certificates)
    except InputError:
        return None
    except _unreadable():
        return None
    if begins > ends or check_chain(chain, anchors=anchors, at=begins, iss=iss, kid=kid):
        return None
    return begins, ends


def chain_digest(chain: Sequence[bytes]) -> str:
    """The name of a chain (DER, leaf first): SHA-256 over those of its certificates, base64url."""
    parts = b"".join(hashlib.sha256(der).digest() for der in chain)
    return b64url_encode(hashlib.sha256(parts).digest())


def authorities_of(chain: Sequence[bytes]) -> frozenset[str]:
    """The key identifiers (base64url) by which certificates of a chain (DER) name their issuers.

    Standard: RFC 5280 §4.2.1.1, OpenID4VP 1.0 §6.1.1.1. Raises InputError `CERT_PATH_INVALID`.
    """
    from cryptography import x509

    found = set()
    for certificate in map(load_certificate, chain):
        try:
            extensions = certificate.extensions
            named = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        except x509.ExtensionNotFound:
            continue
        except _unreadable() as error:
            raise _invalid("a certificate with a part that cannot be read") from error
        if named.key_identifier is not None:
            found.add(b64url_encode(named.key_identifier))
    return frozenset(found)


def leaf_under(chain: Sequence[bytes], *, anchors: "Sequence[x509.Certificate]", at: int) -> Leaf:
    """The leaf of a chain (DER, leaf first, anchor left out) that leads to an anchor at `at`.

    Whose name it bears is for the caller to judge. Raises InputError `CERT_PATH_INVALID`.
    """
    certificates = [load_certificate(der) for der in chain]
    try:
        if not anchors or not _is_path(certificates, anchors, at):
            raise _invalid("a certificate that leads to no authority known here")
    except _unreadable() as error:
        raise _invalid("a certificate with a part that cannot be read") from error
    leaf = read_leaf(certificates[0])
    if not leaf.may_sign or leaf.public is None:
        raise _invalid("a certificate whose key may not sign")
    return leaf


def _is_path(
    certificates: "list[x509.Certificate]", anchors: "Sequence[x509.Certificate]", at: int
) -> bool:
    """Whether exactly these certificates, in this order, lead to one of the anchors at `at`.

    Exactly: nothing stray is among them, and neither is the anchor nor a leaf that signed itself
    (HAIP), since the anchor found is always one certificate more.
    """
    from cryptography.x509 import verification

    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(anchors)))
        .time(from_seconds(at))
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
            # The web's leaf policy demands an EKU, and none exists for this purpose yet.
            ee_policy=verification.ExtensionPolicy.permit_all(),
        )
        .build_client_verifier()
    )
    try:
        found = verifier.verify(certificates[0], certificates[1:]).chain
    except verification.VerificationError:
        return False
    return found[:-1] == certificates


def host_of(entity_id: str) -> str:
    """The host of an entity id (an https URL), without a port; empty for anything else."""
    scheme, _, rest = entity_id.partition("://")
    return rest.split("/", 1)[0].split(":", 1)[0] if scheme == "https" else ""


def _invalid(message: str) -> InputError:
    return InputError(message, code="CERT_PATH_INVALID")


# --- building -------------------------------------------------------------------------------------


def make_root_ca(
    signer: SoftwareSigner,
    *,
    common_name: str,
    organisation: str,
    country: str,
    namespaces: Sequence[str],
    not_before: int,
    not_after: int,
    serial: int,
) -> "x509.Certificate":
    """The jurisdiction's anchor: one authority below it, names inside `namespaces` only.

    namespaces  DNS suffixes, for example `sz.example`; they bind the suffix and all below it
    """
    from cryptography import x509

    subject = _name(country, organisation, common_name)
    builder = _builder(subject, subject, signer.public.key, (not_before, not_after, serial))
    builder = _as_authority(builder, path_length=1)
    constraints = x509.NameConstraints([x509.DNSName(name) for name in namespaces], None)
    return _sign(builder.add_extension(constraints, critical=True), signer)


def make_sub_ca(
    ca_cert: "x509.Certificate",
    ca_signer: SoftwareSigner,
    public: PublicKey,
    *,
    common_name: str,
    organisation: str,
    country: str,
    not_before: int,
    not_after: int,
    serial: int,
) -> "x509.Certificate":
    """The authority that signs leaves; it inherits the name spaces of the one above it."""
    subject = _name(country, organisation, common_name)
    builder = _builder(subject, ca_cert.subject, public.key, (not_before, not_after, serial))
    return _sign(_as_authority(builder, path_length=0), ca_signer, under=ca_cert)


def make_leaf(
    ca_cert: "x509.Certificate",
    ca_signer: SoftwareSigner,
    public: PublicKey,
    *,
    entity_id: str,
    organisation: str,
    country: str,
    not_before: int,
    window_end: int,
    not_after: int,
    serial: int,
) -> "x509.Certificate":
    """A certificate that binds `public` to `entity_id`.

    window_end  end of signing (`PrivateKeyUsagePeriod`)
    not_after   `window_end` and the longest life of what the key seals, so that a verifier who
                judges the path today accepts it as well

    Raises UsageError for an entity id without a host, or times out of order.
    """
    from cryptography import x509

    if not not_before < window_end <= not_after or not host_of(entity_id):
        raise UsageError("a leaf needs an entity id with a host, and times in their order")
    builder = _builder(
        _name(country, organisation), ca_cert.subject, public.key, (not_before, not_after, serial)
    )
    names = [x509.UniformResourceIdentifier(entity_id), x509.DNSName(host_of(entity_id))]
    window = x509.PrivateKeyUsagePeriod(from_seconds(not_before), from_seconds(window_end))
    builder = (
        builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(window, critical=False)
    )
    return _sign(builder, ca_signer, under=ca_cert)


def chain_text(certificates: "Sequence[x509.Certificate]") -> list[str]:
    """Certificates as `x5c` carries them: standard base64 of the DER form, leaf first."""
    return [b64_encode(der_of(certificate)) for certificate in certificates]


def der_of(certificate: "x509.Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def key_identifier(public: PublicKey) -> bytes:
    """The subject key identifier (RFC 5280 §4.2.1.2 method 1) that our certificates carry."""
    from cryptography import x509

    return x509.SubjectKeyIdentifier.from_public_key(public.key).digest


def _name(country: str, organisation: str, common_name: str | None = None) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509 import NameAttribute, NameOID

    try:
        attributes = [
            NameAttribute(NameOID.COUNTRY_NAME, country),
            NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        ]
        if common_name is not None:
            attributes.append(NameAttribute(NameOID.COMMON_NAME, common_name))
        return x509.Name(attributes)
    except ValueError as error:
        raise UsageError("a name that no certificate can carry") from error


def _builder(
    subject: "x509.Name", issuer: "x509.Name", key: EcOrEdPublic, term: tuple[int, int, int]
) -> "x509.CertificateBuilder":
    from cryptography import x509

    not_before, not_after, serial = term
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=serial,
        not_valid_before=from_seconds(not_before),
        not_valid_after=from_seconds(not_after),
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _as_authority(
    builder: "x509.CertificateBuilder", *, path_length: int
) -> "x509.CertificateBuilder":
    from cryptography import x509

    return builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=path_length), critical=True
    ).add_extension(_usage(authority=True), critical=True)


def _usage(*, authority: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(
    builder: "x509.CertificateBuilder",
    signer: SoftwareSigner,
    *,
    under: "x509.Certificate | None" = None,
) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = signer.private_key
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UsageError("an authority's key is of type P-256: path checking knows no other")
    if under is not None:
        above = under.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
        builder = builder.add_extension(identifier, critical=False)
    # RFC 6979: the same request yields the same certificate, so test worlds can be rebuilt.
    return builder.sign(key, SHA256(), ecdsa_deterministic=True)
