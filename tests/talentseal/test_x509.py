"""Certificate paths: whose key it was when it sealed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import pytest
from cryptography import x509 as certificates
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from talentseal import x509
from talentseal.encoding import b64_encode
from talentseal.errors import InputError, UsageError
from talentseal.keys import PublicKey, SoftwareSigner, new_signer, signer_from_secret

HOUR = 3600
YEAR = 365 * 24 * HOUR
NOW = 1_790_000_000 // HOUR * HOUR
ISS = "https://station.sz.example/futian"

ROOT, SUB, ISSUER, OTHER = (signer_from_secret(n) for n in (21, 22, 23, 24))


class World(NamedTuple):
    root: certificates.Certificate
    sub: certificates.Certificate
    leaf: certificates.Certificate


def a_root(
    signer: SoftwareSigner = ROOT, namespaces: Sequence[str] = ("sz.example",), **changes: Any
) -> certificates.Certificate:
    claims: dict[str, Any] = {
        "common_name": "Root authority (fictional)",
        "organisation": "Shenzhen (fictional)",
        "country": "CN",
        "namespaces": namespaces,
        "not_before": NOW,
        "not_after": NOW + 15 * YEAR,
        "serial": 1,
    }
    return x509.make_root_ca(signer, **claims | changes)


def a_sub(
    root: certificates.Certificate,
    root_signer: SoftwareSigner = ROOT,
    signer: SoftwareSigner = SUB,
    **changes: Any,
) -> certificates.Certificate:
    claims: dict[str, Any] = {
        "common_name": "Issuing authority (fictional)",
        "organisation": "Shenzhen (fictional)",
        "country": "CN",
        "not_before": NOW,
        "not_after": NOW + 12 * YEAR,
        "serial": 2,
    }
    return x509.make_sub_ca(root, root_signer, signer.public, **claims | changes)


def a_leaf(
    ca: certificates.Certificate,
    ca_signer: SoftwareSigner = SUB,
    public: PublicKey = ISSUER.public,
    **changes: Any,
) -> certificates.Certificate:
    claims: dict[str, Any] = {
        "entity_id": ISS,
        "organisation": "Station (fictional)",
        "country": "CN",
        "not_before": NOW,
        "window_end": NOW + YEAR,
        "not_after": NOW + 6 * YEAR,
        "serial": 3,
    }
    return x509.make_leaf(ca, ca_signer, public, **claims | changes)


@cache
def world() -> World:
    root = a_root()
    sub = a_sub(root)
    return World(root, sub, a_leaf(sub))


def check(
    chain: Sequence[certificates.Certificate],
    anchors: Sequence[certificates.Certificate] | None = None,
    **changes: Any,
) -> str | None:
    claims: dict[str, Any] = {"at": NOW + HOUR, "iss": ISS, "kid": ISSUER.public.kid}
    trusted = [world().root] if anchors is None else anchors
    ders = [x509.der_of(one) for one in chain]
    return x509.check_chain(ders, anchors=trusted, **claims | changes)


def by_hand(
    extensions: Sequence[tuple[certificates.ExtensionType, bool]],
    *,
    key: Any = None,
    subject: certificates.Name | None = None,
) -> certificates.Certificate:
    """A leaf that an authority out of line could sign: our authority, any extensions."""
    _, sub, leaf = world()
    builder = certificates.CertificateBuilder(
        issuer_name=sub.subject,
        subject_name=subject or leaf.subject,
        public_key=key or ISSUER.public.key,
        serial_number=9,
        not_valid_before=datetime.fromtimestamp(NOW, UTC),
        not_valid_after=datetime.fromtimestamp(NOW + YEAR, UTC),
    )
    identifier = sub.extensions.get_extension_for_class(certificates.SubjectKeyIdentifier).value
    known = certificates.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = builder.add_extension(known, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(SUB.private_key, SHA256())


def names(*, uris: Sequence[str] = (ISS,), hosts: Sequence[str] = ("station.sz.example",)) -> Any:
    listed = [certificates.UniformResourceIdentifier(uri) for uri in uris]
    listed_hosts = [certificates.DNSName(host) for host in hosts]
    return certificates.SubjectAlternativeName([*listed, *listed_hosts]), False


def usage(*, sign: bool = True, certify: bool = False) -> Any:
    flags = [sign, False, False, False, False, certify, False, False, False]
    return certificates.KeyUsage(*flags), True


# --- paths that hold ------------------------------------------------------------------------------


def test_a_leaf_leads_to_its_jurisdiction() -> None:
    _, sub, leaf = world()
    assert check([leaf, sub]) is None


def test_a_leaf_directly_below_an_anchor_needs_no_intermediate() -> None:
    _, sub, leaf = world()
    assert check([leaf], [sub]) is None


def test_of_several_anchors_the_right_one_is_found() -> None:
    _, sub, leaf = world()
    other = a_root(OTHER, common_name="Another authority (fictional)")
    assert check([leaf, sub], [other, world().root]) is None


def test_an_ed25519_key_may_be_certified() -> None:
    signer = new_signer("EdDSA")
    root, sub, _ = world()
    leaf = a_leaf(sub, public=signer.public)
    assert check([leaf, sub], [root], kid=signer.public.kid) is None


def test_a_leaf_that_has_expired_since_still_speaks_for_its_time() -> None:
    """Attack 43: expired now, sealed inside its life."""
    root, sub, _ = world()
    leaf = a_leaf(sub, window_end=NOW + 2 * HOUR, not_after=NOW + 2 * HOUR)
    assert check([leaf, sub], [root], at=NOW + HOUR) is None
    assert check([leaf, sub], [root], at=NOW + YEAR) == "CERT_PATH_INVALID"


def test_the_window_of_the_private_key_is_told_and_not_judged_here() -> None:
    _, sub, leaf = world()
    assert x509.read_leaf(leaf).signing_until == NOW + YEAR
    assert check([leaf, sub], at=NOW + 2 * YEAR) is None


def test_the_same_request_yields_the_same_certificate() -> None:
    root, sub, leaf = world()
    assert a_root() == root
    assert a_sub(root) == sub
    assert a_leaf(sub) == leaf


def test_a_leaf_says_what_it_was_made_for() -> None:
    found = x509.read_leaf(world().leaf)
    assert found.uris == (ISS,)
    assert found.hosts == ("station.sz.example",)
    assert (found.country, found.organisation) == ("CN", "Station (fictional)")
    assert found.public == ISSUER.public
    assert found.may_sign
    extensions = world().leaf.extensions
    with pytest.raises(certificates.ExtensionNotFound):
        extensions.get_extension_for_class(certificates.ExtendedKeyUsage)


def test_an_authority_says_how_deep_and_for_which_names_it_speaks() -> None:
    root, sub, _ = world()
    constraints = root.extensions.get_extension_for_class(certificates.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [certificates.DNSName("sz.example")]
    depths = [
        one.extensions.get_extension_for_class(certificates.BasicConstraints).value.path_length
        for one in (root, sub)
    ]
    assert depths == [1, 0]


# --- paths that do not ----------------------------------------------------------------------------


def test_the_anchor_has_no_place_in_the_chain() -> None:
    """Attack 44."""
    root, sub, leaf = world()
    assert check([leaf, sub, root]) == "CERT_PATH_INVALID"
    assert check([leaf, sub], [root, sub]) == "CERT_PATH_INVALID"


def test_a_leaf_that_signed_itself_is_nobody() -> None:
    """Attack 44: also when somebody made it an anchor."""
    own = a_root(ISSUER, common_name="Self", not_after=NOW + YEAR)
    assert check([own], [world().root]) == "CERT_PATH_INVALID"
    assert check([own], [own]) == "CERT_PATH_INVALID"


@pytest.mark.parametrize("at", [NOW - 1, NOW + 6 * YEAR + 1, NOW + 20 * YEAR, 0])
def test_outside_its_life_a_certificate_is_silent(at: int) -> None:
    _, sub, leaf = world()
    assert check([leaf, sub], at=at) == "CERT_PATH_INVALID"


def test_a_chain_without_its_middle_leads_nowhere() -> None:
    _, sub, leaf = world()
    assert check([leaf]) == "CERT_PATH_INVALID"
    assert check([sub, leaf]) == "CERT_PATH_INVALID"
    assert check([]) == "CERT_PATH_INVALID"
    assert check([leaf, sub], []) == "CERT_PATH_INVALID"


def test_a_chain_holds_the_path_and_nothing_else() -> None:
    root, sub, leaf = world()
    stray = a_sub(root, signer=OTHER, common_name="Stray (fictional)", serial=7)
    assert check([leaf, sub, stray]) == "CERT_PATH_INVALID"
    assert check([leaf, stray, sub]) == "CERT_PATH_INVALID"
    assert check([leaf, sub, sub]) == "CERT_PATH_INVALID"
    assert check([leaf, sub, sub, sub, sub]) == "CERT_PATH_INVALID"


def test_another_jurisdictions_authority_does_not_count() -> None:
    _, sub, leaf = world()
    other = a_root(OTHER, common_name="Another authority (fictional)")
    assert check([leaf, sub], [other]) == "CERT_PATH_INVALID"


def test_an_authority_with_the_same_name_and_another_key_does_not_count() -> None:
    _, sub, leaf = world()
    assert check([leaf, sub], [a_root(OTHER)]) == "CERT_PATH_INVALID"


def test_a_host_outside_the_name_spaces_is_refused() -> None:
    """Attack 41, certificate variant: an authority signs for a host of another jurisdiction."""
    root, sub, _ = world()
    elsewhere = "https://station.hk.example"
    leaf = a_leaf(sub, entity_id=elsewhere)
    assert check([leaf, sub], [root], iss=elsewhere) == "CERT_PATH_INVALID"


@pytest.mark.parametrize(
    "hosts", [(), ("other.sz.example",), ("station.sz.example", "other.sz.example")]
)
def test_a_leaf_cannot_slip_past_the_name_spaces_without_its_host(hosts: Sequence[str]) -> None:
    leaf = by_hand([names(uris=[ISS], hosts=hosts), usage()])
    assert check([leaf, world().sub]) == "CERT_ISS_MISMATCH"
    outside = by_hand([names(uris=["https://station.hk.example"], hosts=hosts), usage()])
    found = check([outside, world().sub], iss="https://station.hk.example")
    assert found == "CERT_ISS_MISMATCH"


@pytest.mark.parametrize(
    "iss",
    [
        "https://station.sz.example/futian/",
        "https://station.sz.example/Futian",
        "https://station.sz.example",
        "https://station.sz.example:443/futian",
        "https://bureau.sz.example",
        "",
    ],
)
def test_the_issuer_is_compared_octet_by_octet(iss: str) -> None:
    _, sub, leaf = world()
    assert check([leaf, sub], iss=iss) == "CERT_ISS_MISMATCH"


def test_a_leaf_for_two_issuers_is_for_none() -> None:
    leaf = by_hand([names(uris=[ISS, "https://station.sz.example/nanshan"]), usage()])
    assert check([leaf, world().sub]) == "CERT_ISS_MISMATCH"


def test_a_leaf_without_names_is_for_nobody() -> None:
    assert check([by_hand([usage()]), world().sub]) == "CERT_ISS_MISMATCH"


def test_a_leaf_with_another_key_is_refused() -> None:
    _, sub, leaf = world()
    assert check([leaf, sub], kid=OTHER.public.kid) == "CERT_KEY_MISMATCH"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048).public_key(),
        ec.generate_private_key(ec.SECP384R1()).public_key(),
    ],
    ids=["RSA", "P-384"],
)
def test_a_leaf_with_a_key_of_a_kind_not_allowed_is_refused(key: Any) -> None:
    leaf = by_hand([names(), usage()], key=key)
    assert check([leaf, world().sub]) == "CERT_KEY_MISMATCH"


@pytest.mark.parametrize(
    "extensions",
    [
        [names()],
        [names(), usage(sign=False)],
        [names(), usage(), (certificates.BasicConstraints(ca=True, path_length=None), True)],
    ],
    ids=["no usage", "not for signatures", "an authority"],
)
def test_a_certificate_that_is_no_signing_leaf_is_refused(extensions: Any) -> None:
    assert check([by_hand(extensions), world().sub]) == "CERT_PATH_INVALID"


def test_a_leaf_that_says_it_is_no_authority_is_fine() -> None:
    plain = (certificates.BasicConstraints(ca=False, path_length=None), True)
    assert check([by_hand([names(), usage(), plain]), world().sub]) is None


def test_a_leaf_signs_no_certificates() -> None:
    _, sub, leaf = world()
    below = a_leaf(leaf, ISSUER, OTHER.public)
    assert check([below, leaf, sub], kid=OTHER.public.kid) == "CERT_PATH_INVALID"


def test_a_third_authority_is_too_deep() -> None:
    root, sub, _ = world()
    third = a_sub(sub, SUB, OTHER, common_name="Third (fictional)")
    leaf = a_leaf(third, OTHER)
    assert check([leaf, third, sub], [root]) == "CERT_PATH_INVALID"


# --- x5c ------------------------------------------------------------------------------------------


def test_a_chain_travels_as_base64_and_comes_back() -> None:
    root, sub, leaf = world()
    texts = x509.chain_text([leaf, sub])
    assert x509.parse_x5c(texts) == (x509.der_of(leaf), x509.der_of(sub))
    assert x509.load_anchors(x509.chain_text([root])) == [root]


GOOD = b64_encode(b"\x30" * 30)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        GOOD,
        [],
        {},
        [None],
        [7],
        [[GOOD]],
        [GOOD] * 5,
        [GOOD + "="],
        [GOOD.replace("M", "-")],
        [" " + GOOD],
        ["MI\nIB"],
        ["é" * 8],
        [b64_encode(b"\x30" * 4100)] * 2,
    ],
)
def test_an_x5c_out_of_shape_or_bounds_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as refused:
        x509.parse_x5c(value)
    assert refused.value.code == "CERT_PATH_INVALID"


def test_x5c_is_read_up_to_its_bounds() -> None:
    assert len(x509.parse_x5c([b64_encode(b"\x30" * 2048)] * 4)) == 4
    with pytest.raises(InputError):
        x509.parse_x5c([b64_encode(b"\x30" * 2049)] * 4)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_certificate(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        x509.load_certificate(data)
    assert refused.value.code == "CERT_PATH_INVALID"
    found = x509.check_chain([data], anchors=[world().root], at=NOW, iss=ISS, kid=ISSUER.public.kid)
    assert found == "CERT_PATH_INVALID"


@given(st.data())
@settings(max_examples=400)
def test_a_certificate_with_one_changed_byte_leads_nowhere(data: st.DataObject) -> None:
    _, sub, leaf = world()
    ders = [bytearray(x509.der_of(leaf)), bytearray(x509.der_of(sub))]
    which = data.draw(st.sampled_from([0, 1]))
    place = data.draw(st.integers(0, len(ders[which]) - 1))
    value = data.draw(st.integers(0, 255))
    if ders[which][place] == value:
        return
    ders[which][place] = value
    found = x509.check_chain(
        [bytes(der) for der in ders],
        anchors=[world().root],
        at=NOW + HOUR,
        iss=ISS,
        kid=ISSUER.public.kid,
    )
    assert found == "CERT_PATH_INVALID"


@given(st.data())
def test_a_damaged_certificate_is_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(x509.der_of(world().leaf))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        x509.read_leaf(x509.load_certificate(bytes(der)))
    except InputError as refused:
        if refused.code != "CERT_PATH_INVALID":
            raise


# --- building -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"entity_id": "http://station.sz.example"},
        {"entity_id": "station.sz.example"},
        {"entity_id": "https:///x"},
        {"window_end": NOW},
        {"window_end": NOW + 7 * YEAR},
        {"country": "China"},
    ],
)
def test_a_leaf_that_could_never_pass_is_not_made(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        a_leaf(world().sub, **changes)


def test_an_authority_has_a_key_that_path_checking_knows() -> None:
    with pytest.raises(UsageError):
        a_root(new_signer("EdDSA"))


def test_an_authority_has_a_name_that_a_certificate_can_carry() -> None:
    with pytest.raises(UsageError):
        a_root(common_name="x" * 65)


def test_the_host_of_an_entity_id_is_without_port_and_path() -> None:
    assert x509.host_of("https://a.example:8443/x") == "a.example"
    assert x509.host_of("https://a.example") == "a.example"
    assert x509.host_of("ftp://a.example") == ""
    assert x509.host_of("a.example") == ""


# --- the time in which nothing changes ------------------------------------------------------------


def lifetime(chain: Sequence[certificates.Certificate], **changes: Any) -> tuple[int, int] | None:
    claims: dict[str, Any] = {
        "anchors": [world().root], "iss": ISS, "kid": ISSUER.public.kid, **changes
    }  # fmt: skip
    return x509.lifetime([x509.der_of(one) for one in chain], **claims)


def test_the_life_of_a_chain_is_the_time_in_which_it_is_found_good() -> None:
    root = a_root(not_before=NOW - HOUR, not_after=NOW + 3 * YEAR)
    sub = a_sub(root, not_before=NOW + HOUR)
    chain = [a_leaf(sub), sub]
    assert lifetime(chain, anchors=[root]) == (NOW + HOUR, NOW + 3 * YEAR)
    for at in (NOW + HOUR, NOW + YEAR, NOW + 3 * YEAR):
        assert check(chain, [root], at=at) is None
    for at in (NOW + HOUR - 1, NOW + 3 * YEAR + 1):
        assert check(chain, [root], at=at) == "CERT_PATH_INVALID"


def test_a_chain_in_which_something_is_wrong_has_no_life() -> None:
    root, sub, leaf = world()
    assert lifetime([leaf, sub]) is not None
    assert lifetime([leaf, sub], iss="https://station.sz.example") is None
    assert lifetime([leaf, sub], kid=OTHER.public.kid) is None
    assert lifetime([leaf, sub], anchors=[]) is None
    assert lifetime([leaf, sub], anchors=[a_root(OTHER)]) is None
    for chain in ([leaf], [sub, leaf], [leaf, sub, root], []):
        assert lifetime(chain) is None
    assert x509.lifetime([b"no certificate"], anchors=[root], iss=ISS, kid="") is None


def test_certificates_that_never_live_together_have_no_life() -> None:
    late = a_sub(world().root, not_before=NOW + 7 * YEAR)
    assert lifetime([a_leaf(late), late]) is None


def test_the_name_of_a_chain_tells_its_certificates_and_their_order() -> None:
    chains = [[], [b"ab"], [b"a", b"b"], [b"b", b"a"], [b"", b"ab"]]
    assert len({x509.chain_digest(chain) for chain in chains}) == len(chains)
