"""The trust list of a jurisdiction: who is listed, under which names, keys and certificates.

A list is a JSON document of ETSI's form, so that foreign software can read who is listed for which
type of credential, sealed by the list key that the root names. What only we understand (grants,
delegations, withdrawals, keys with their history) stands in extensions: whoever skips them finds
fewer services, never a wider right. Here a list is built, sealed and read strictly. The statements
inside are carried along unread, and whether sequence numbers only rise is for the keeper of earlier
lists to see. Times are NumericDate.

The entity id stands in `TEInformationExtensions`, the kind of an entity follows from its service
types; an entity that is two things, authority and issuer, is read as two entities of one id.

Standards: ETSI TS 119 602 V1.1.1 (explicit scheme information), compact JAdES baseline B
(ETSI TS 119 182-1) with attached payload, RFC 7515.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, NoReturn

from talentseal import x509
from talentseal.encoding import (
    MAX_LIST_BYTES,
    MAX_METADATA_DEPTH,
    b64_decode,
    b64_encode,
    b64url_encode,
    dump_json,
    format_time,
    is_time,
    malformed,
    parse_json,
    parse_time,
    to_seconds,
)
from talentseal.errors import InputError, UsageError
from talentseal.jose import Jws, is_sealed_by, parse_jws, sign_jws
from talentseal.keys import PublicKey, Signer
from talentseal.statements import BASE, HOUR_SECONDS, floor_hour, is_entity_id

MAX_LIST_MEMBERS = 200_000
MAX_LIFE_SECONDS = 184 * 24 * 3600  # six months, the longest that begin on any day
NEVER_REMOVED = 65535  # HistoricalInformationPeriod

Kind = Literal["issuer", "authority", "status"]
KeyState = Literal["active", "retired", "compromised"]
ServiceStatus = Literal["granted", "suspended", "withdrawn"]
KEY_STATES = frozenset(("active", "retired", "compromised"))
SERVICE_STATUSES = ("granted", "suspended", "withdrawn")


# --- what a list says -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key with its history.

    jwk         its public JWK, required members only
    kid         its thumbprint
    nbf         may seal from this full hour on
    sign_until  may seal before this full hour; None: as long as it is listed active. As read, the
                earliest of what the list says and the usage period of the certificate
    """

    jwk: Mapping[str, str]
    kid: str
    nbf: int
    sign_until: int | None
    state: KeyState


@dataclass(frozen=True, slots=True)
class Entity:
    """One body in one of its capacities; statements are texts as published, unread.

    names         name by language tag, English among them
    certificates  DER of the current leaf certificates
    statements    withdrawals and key events
    """

    entity_id: str
    names: Mapping[str, str]
    kind: Kind
    keys: tuple[ListedKey, ...]
    certificates: tuple[bytes, ...]
    grants: tuple[str, ...]
    delegations: tuple[str, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustList:
    """A list whose signature holds.

    territory       two letters, the country of the scheme
    operator_names  name of the list office by language tag
    above           DER of the certificates that the list shows above its own key's
    """

    territory: str
    operator_names: Mapping[str, str]
    sequence: int
    issued_at: int
    next_update: int
    entities: tuple[Entity, ...]
    above: tuple[bytes, ...] = ()


# --- what a list is built from --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    street: str
    country: str
    email: str
    website: str
    locality: str | None = None
    postal_code: str | None = None
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Scheme:
    """The list office and its rules.

    country   two letters
    operator  its name by language tag; one of them is the organisation of its certificate
    name      of the scheme, without the country that is put before it
    """

    country: str
    operator: Mapping[str, str]
    address: Address
    name: Mapping[str, str]
    information_uri: str


@dataclass(frozen=True, slots=True)
class FormerKey:
    """A key that this service used before, by the identifier that its certificate carried."""

    public: PublicKey
    status: ServiceStatus
    since: int


@dataclass(frozen=True, slots=True)
class Service:
    """What one entity does, for issuers in respect of one type of credential.

    service_type  path below `<base>/svc/`: `issue/professional-title/1`, `status`, `authority`
    since         start of the status, not before the issue of the list that first says it
    keys          all, with history; the current ones must hold the listed certificates' keys
    """

    service_type: str
    since: int
    keys: Sequence[ListedKey]
    status: ServiceStatus = "granted"
    certificates: Sequence[bytes] = ()
    grants: Sequence[str] = ()
    delegations: Sequence[str] = ()
    statements: Sequence[str] = ()
    former: Sequence[FormerKey] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    entity_id: str
    names: Mapping[str, str]
    address: Address
    services: Sequence[Service]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where another jurisdiction's list is, and who signs it (DER)."""

    location: str
    country: str
    operator: Mapping[str, str]
    certificates: Sequence[bytes]


# --- building and sealing -------------------------------------------------------------------------


def build_list(
    scheme: Scheme,
    entities: Iterable[Listed],
    *,
    sequence: int,
    issued_at: int,
    next_update: int,
    pointers: Sequence[Pointer] = (),
    base: str = BASE,
) -> dict[str, Any]:
    """The payload of a list; the same facts give the same document.

    Raises UsageError for what no reader would accept.
    """
    content: dict[str, Any] = {
        "ListAndSchemeInformation": {
            "LoTEVersionIdentifier": 1,
            "LoTESequenceNumber": sequence,
            "LoTEType": f"{base}/lote/issuers",
            **_scheme_members(scheme, base),
            "HistoricalInformationPeriod": NEVER_REMOVED,
            **({"PointersToOtherLoTE": [_pointer(p, base) for p in pointers]} if pointers else {}),
            "ListIssueDateTime": format_time(issued_at),
            "NextUpdate": format_time(next_update),
        }
    }
    listed = sorted(entities, key=lambda entity: entity.entity_id)
    if listed:  # TS 119 602: absent rather than empty
        content["TrustedEntitiesList"] = [_entity_members(entity, base) for entity in listed]
    payload = {"LoTE": content}
    try:
        _read(payload, base)
    except InputError as error:
        raise UsageError(f"not a list that readers accept: {error.message}") from error
    return payload


def seal_list(payload: Mapping[str, Any], *, signer: Signer, x5c: Sequence[str], iat: int) -> str:
    """Seal a list, compact JAdES baseline B.

    x5c  base64 DER, the list key's certificate first, the anchor left out
    iat  NumericDate of the signature

    Raises UsageError if the certificate holds another key or the list is too long to be read (its
    office then needs a second one), InputError if the certificate is none.
    """
    der = x509.parse_x5c(list(x5c))[0]
    leaf = x509.read_leaf(x509.load_certificate(der))
    if leaf.public != signer.public:
        raise UsageError("the certificate beside a list holds the key that signs it")
    header = {"iat": iat, "x5c": list(x5c), "x5t#S256": _fingerprint(der), "cty": "json"}
    text = sign_jws(dump_json(payload), header, signer)
    if len(text) > MAX_LIST_BYTES:
        raise UsageError(f"a list of {len(text)} bytes; readers take {MAX_LIST_BYTES}")
    return text


def _scheme_members(scheme: Scheme, base: str) -> dict[str, Any]:
    rules = f"{base}/lote"
    return {
        "SchemeOperatorName": _names(scheme.operator),
        "SchemeOperatorAddress": {
            "SchemeOperatorPostalAddress": [_postal(scheme.address)],
            "SchemeOperatorElectronicAddress": _electronic(scheme.address),
        },
        "SchemeName": _names({k: f"{scheme.country}:{v}" for k, v in scheme.name.items()}),
        "SchemeInformationURI": [_uri(scheme.information_uri)],
        "StatusDeterminationApproach": f"{rules}/status-determination",
        "SchemeTypeCommunityRules": [_uri(f"{rules}/rules")],
        "SchemeTerritory": scheme.country,
        "PolicyOrLegalNotice": [{"LoTEPolicy": _uri(f"{rules}/policy")}],
    }


def _entity_members(entity: Listed, base: str) -> dict[str, Any]:
    return {
        "TrustedEntityInformation": {
            "TEName": _names(entity.names),
            "TEAddress": {
                "TEPostalAddress": [_postal(entity.address)],
                "TEElectronicAddress": _electronic(entity.address),
            },
            "TEInformationURI": [_uri(entity.address.website)],
            "TEInformationExtensions": [_extension("entity", {"id": entity.entity_id})],
        },
        "TrustedEntityServices": [
            _service_members(entity.names, service, base) for service in entity.services
        ],
    }


def _service_members(names: Mapping[str, str], service: Service, base: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "ServiceInformation": {
            "ServiceName": _names(names),
            "ServiceDigitalIdentity": _identity(service),
            "ServiceTypeIdentifier": f"{base}/svc/{service.service_type}",
            "ServiceStatus": f"{base}/svc-status/{service.status}",
            "StatusStartingTime": format_time(service.since),
            "ServiceInformationExtensions": [
                *(_extension("grant", text) for text in service.grants),
                *(_extension("delegation", text) for text in service.delegations),
                _extension("keys", [_key_members(key) for key in service.keys]),
                *(
                    [_extension("statements", list(service.statements))]
                    if service.statements
                    else []
                ),
            ],
        }
    }
    if service.former:
        members["ServiceHistory"] = [_history(names, key, base) for key in service.former]
    return members


def _identity(service: Service) -> dict[str, Any]:
    """Current certificates, or keys where there is no certificate; never an authority's."""
    if service.certificates:
        return {"X509Certificates": [{"val": b64_encode(der)} for der in service.certificates]}
    publics = [PublicKey.from_jwk(key.jwk) for key in service.keys]
    # ETSI's schema for a JWK knows EC and RSA only: a key on Ed25519 is named by its identifier.
    jwks = [public.jwk for public in publics if public.alg == "ES256"]
    identifiers = [_identifier(public) for public in publics if public.alg != "ES256"]
    return {
        **({"PublicKeyValues": jwks} if jwks else {}),
        **({"X509SKIs": identifiers} if identifiers else {}),
    }


def _history(names: Mapping[str, str], former: FormerKey, base: str) -> dict[str, Any]:
    return {
        "ServiceName": _names(names),
        "ServiceDigitalIdentity": {"X509SKIs": [_identifier(former.public)]},
        "ServiceStatus": f"{base}/svc-status/{former.status}",
        "StatusStartingTime": format_time(former.since),
    }


def _pointer(pointer: Pointer, base: str) -> dict[str, Any]:
    certificates = [{"val": b64_encode(der)} for der in pointer.certificates]
    qualifier = {
        "LoTEType": f"{base}/lote/issuers",
        "SchemeOperatorName": _names(pointer.operator),
        "SchemeTerritory": pointer.country,
        "MimeType": "application/jose",
    }
    return {
        "LoTELocation": pointer.location,
        "ServiceDigitalIdentities": [{"X509Certificates": certificates}],
        "LoTEQualifiers": [qualifier],
    }


def _key_members(key: ListedKey) -> dict[str, Any]:
    until = {} if key.sign_until is None else {"sign_until": key.sign_until}
    return {"jwk": dict(key.jwk), "kid": key.kid, "nbf": key.nbf, **until, "state": key.state}


def _extension(name: str, value: Any) -> dict[str, Any]:
    return {"critical": False, name: value}


def _names(names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"lang": lang, "value": value} for lang, value in sorted(names.items())]


def _uri(uri: str, lang: str = "en") -> dict[str, str]:
    return {"lang": lang, "uriValue": uri}


def _postal(address: Address) -> dict[str, str]:
    return {
        "lang": address.lang,
        "StreetAddress": address.street,
        **({"Locality": address.locality} if address.locality else {}),
        **({"PostalCode": address.postal_code} if address.postal_code else {}),
        "Country": address.country,
    }


def _electronic(address: Address) -> list[dict[str, str]]:
    return [_uri(f"mailto:{address.email}", address.lang), _uri(address.website, address.lang)]


def _identifier(public: PublicKey) -> str:
    return b64_encode(x509.key_identifier(public))


def _fingerprint(der: bytes) -> str:
    return b64url_encode(hashlib.sha256(der).digest())


# --- parsing --------------------------------------------------------------------------------------


def parse_list(
    text: str, *, list_jkt: frozenset[str], now: int | None, base: str = BASE
) -> TrustList:
    """A list that one of the keys `list_jkt` (thumbprints, from the root) has sealed.

    now  NumericDate; a list past its NextUpdate is refused. None: age is not judged

    Raises InputError `BUNDLE_SIGNATURE`, `TRUST_DATA_EXPIRED`, `MALFORMED` or `TOO_LARGE`.
    """
    jws = parse_jws(text, max_bytes=MAX_LIST_BYTES)
    signed_by, above = _check_signature(jws, list_jkt)
    payload = parse_json(
        jws.payload,
        max_bytes=MAX_LIST_BYTES,
        max_depth=MAX_METADATA_DEPTH,
        max_members=MAX_LIST_MEMBERS,
    )
    try:
        listed = _read(payload, base)
    except InputError as error:  # a key or certificate inside it may have a code of its own
        raise InputError(error.message, code="MALFORMED") from error
    if signed_by.country != listed.territory:
        _unsigned("the certificate beside the list is of another country")
    if signed_by.organisation not in listed.operator_names.values():
        _unsigned("the certificate beside the list is of another body than its operator")
    if now is not None and now >= listed.next_update:
        raise InputError(
            f"the trust list said {format_time(listed.next_update)} for its next update",
            code="TRUST_DATA_EXPIRED",
            hint="Synchronise; a list past that time must not be used.",
        )
    return replace(listed, above=above)


_HEADER = {"alg", "iat", "x5c", "x5t#S256", "cty"}


def _check_signature(jws: Jws, list_jkt: frozenset[str]) -> tuple[x509.Leaf, tuple[bytes, ...]]:
    """The leaf of the key that sealed the list, and the certificates shown above it."""
    header = jws.header
    if header.keys() != _HEADER or not is_time(header["iat"]) or header["cty"] != "json":
        malformed("the header of a list has alg, iat, x5c, x5t#S256 and cty")
    try:
        der, *above = x509.parse_x5c(header["x5c"])
        leaf = x509.read_leaf(x509.load_certificate(der))
    except InputError as error:
        raise InputError(error.message, code="BUNDLE_SIGNATURE") from error
    if header["x5t#S256"] != _fingerprint(der):
        _unsigned("the list names another certificate than it carries")
    if leaf.public is None or leaf.public.kid not in list_jkt:
        _unsigned("the root does not name the key of this list")
    if not is_sealed_by(jws, leaf.public):
        _unsigned("the signature of the list does not hold")
    return leaf, tuple(above)


def _unsigned(message: str) -> NoReturn:
    raise InputError(message, code="BUNDLE_SIGNATURE", hint="Synchronise from the official source.")


# --- shape: TS 119 602, explicit scheme information, as a table -----------------------------------

Shape = Callable[[Any, str], None]

_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
_LANG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_COUNTRY = re.compile(r"[A-Z]{2}")
_ANY_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,1000}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def _matches(pattern: re.Pattern[str]) -> Shape:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            malformed(f"{where} has an impossible value")

    return check


def _array(item: Shape) -> Shape:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or not value:
            malformed(f"{where} is no list, or an empty one")
        for one in value:
            item(one, where)

    return check


def _record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """Exactly these members: what the standard does not know belongs into extensions."""
    members = {**required, **(optional or {})}

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict) or not required.keys() <= value.keys() <= members.keys():
            malformed(f"{where} lacks a member, or has one too many")
        for name, one in value.items():
            members[name](one, name)

    return check


def _is(*allowed: Any) -> Shape:
    def check(value: Any, where: str) -> None:
        if type(value) is not type(allowed[0]) or value not in allowed:
            malformed(f"{where} has another value than it must have")

    return check


def _is_positive(value: Any, where: str) -> None:
    if type(value) is not int or value < 1:
        malformed(f"{where} is no number from 1 on")


def _is_moment(value: Any, where: str) -> None:
    if not isinstance(value, str):
        malformed(f"{where} is no time")
    parse_time(value)


def _is_jwk(value: Any, _where: str) -> None:
    PublicKey.from_jwk(value)


def _is_extension(value: Any, where: str) -> None:
    if not isinstance(value, dict) or len(value) != 2 or type(value.get("critical")) is not bool:
        malformed(f"{where} holds objects with `critical` and one other member")
    if value["critical"] and _EXTENSIONS.isdisjoint(value):
        malformed(f"{where} holds a critical extension that is not understood")


_EXTENSIONS = frozenset(("entity", "grant", "delegation", "keys", "statements"))


def _named(value: Any, where: str) -> None:
    """A name in several languages; one of them English, so that every reader can say it."""
    _array(_record({"lang": _matches(_LANG), "value": _TEXT}))(value, where)
    languages = [one["lang"] for one in value]
    if len(set(languages)) != len(languages) or "en" not in languages:
        malformed(f"{where} gives one name for each language, English among them")


def _reachable(value: Any, where: str) -> None:
    """A mail address and a web site at least."""
    _URIS(value, where)
    schemes = {one["uriValue"].partition(":")[0] for one in value}
    if not {"mailto", "https"} <= schemes:
        malformed(f"{where} holds no mail address or no web site")


_TEXT = _matches(_ANY_TEXT)
_ONE_URI = _matches(_URI)
_LANG_URI = _record({"lang": _matches(_LANG), "uriValue": _ONE_URI})
_URIS = _array(_LANG_URI)
_EXTENSION_LIST = _array(_is_extension)
_POSTAL = _array(
    _record(
        {"lang": _matches(_LANG), "StreetAddress": _TEXT, "Country": _matches(_COUNTRY)},
        {"Locality": _TEXT, "StateOrProvince": _TEXT, "PostalCode": _TEXT},
    )
)
_PKI_OBJECT = _record({"val": _matches(_BASE64)}, {"encoding": _ONE_URI, "specRef": _TEXT})
_IDENTITY = _record(
    {},
    {
        "X509Certificates": _array(_PKI_OBJECT),
        "X509SubjectNames": _array(_TEXT),
        "PublicKeyValues": _array(_is_jwk),
        "X509SKIs": _array(_matches(_BASE64)),
        "OtherIds": _array(_TEXT),
    },
)
_POINTER = _record(
    {
        "LoTELocation": _ONE_URI,
        "ServiceDigitalIdentities": _array(_IDENTITY),
        "LoTEQualifiers": _array(
            _record(
                {"LoTEType": _ONE_URI, "SchemeOperatorName": _named, "MimeType": _TEXT},
                {"SchemeTypeCommunityRules": _URIS, "SchemeTerritory": _matches(_COUNTRY)},
            )
        ),
    }
)


def _notices(value: Any, where: str) -> None:
    """Policies or legal notices, not a mixture (the schema's `oneOf`)."""
    if (
        isinstance(value, list)
        and value
        and isinstance(value[0], dict)
        and "LoTEPolicy" in value[0]
    ):
        _array(_record({"LoTEPolicy": _LANG_URI}))(value, where)
    else:
        _array(_record({"LoTELegalNotice": _TEXT}))(value, where)


_SCHEME = _record(
    {
        "LoTEVersionIdentifier": _is(1),
        "LoTESequenceNumber": _is_positive,
        "LoTEType": _ONE_URI,
        "SchemeOperatorName": _named,
        "SchemeOperatorAddress": _record(
            {
                "SchemeOperatorPostalAddress": _POSTAL,
                "SchemeOperatorElectronicAddress": _reachable,
            }
        ),
        "SchemeName": _named,
        "SchemeInformationURI": _URIS,
        "StatusDeterminationApproach": _ONE_URI,
        "SchemeTypeCommunityRules": _URIS,
        "SchemeTerritory": _matches(_COUNTRY),
        "PolicyOrLegalNotice": _notices,
        "HistoricalInformationPeriod": _is(NEVER_REMOVED),
        "ListIssueDateTime": _is_moment,
        "NextUpdate": _is_moment,
    },
    {
        "PointersToOtherLoTE": _array(_POINTER),
        "DistributionPoints": _array(_ONE_URI),
        "SchemeExtensions": _EXTENSION_LIST,
    },
)
_INFORMATION = _record(
    {
        "ServiceName": _named,
        "ServiceDigitalIdentity": _IDENTITY,
        "ServiceTypeIdentifier": _ONE_URI,
        "ServiceStatus": _ONE_URI,
        "StatusStartingTime": _is_moment,
        "ServiceInformationExtensions": _EXTENSION_LIST,
    },
    {
        "SchemeServiceDefinitionURI": _URIS,
        "ServiceSupplyPoints": _array(_record({"uriValue": _ONE_URI}, {"ServiceType": _ONE_URI})),
        "ServiceDefinitionURI": _URIS,
    },
)
_HISTORY = _record(
    {
        "ServiceName": _named,
        "ServiceDigitalIdentity": _IDENTITY,
        "ServiceStatus": _ONE_URI,
        "StatusStartingTime": _is_moment,
    },
    {"ServiceTypeIdentifier": _ONE_URI, "ServiceInformationExtensions": _EXTENSION_LIST},
)
_ENTITY = _record(
    {
        "TrustedEntityInformation": _record(
            {
                "TEName": _named,
                "TEAddress": _record(
                    {"TEPostalAddress": _POSTAL, "TEElectronicAddress": _reachable}
                ),
                "TEInformationURI": _URIS,
                "TEInformationExtensions": _EXTENSION_LIST,
            },
            {"TETradeName": _named},
        ),
        "TrustedEntityServices": _array(
            _record({"ServiceInformation": _INFORMATION}, {"ServiceHistory": _array(_HISTORY)})
        ),
    }
)
_LIST = _record(
    {
        "LoTE": _record(
            {"ListAndSchemeInformation": _SCHEME}, {"TrustedEntitiesList": _array(_ENTITY)}
        )
    }
)
_LISTED_KEY = _record(
    {"jwk": _is_jwk, "kid": _TEXT, "nbf": lambda *_: None, "state": _is(*KEY_STATES)},
    {"sign_until": lambda *_: None},
)


# --- meaning: from the shape to entities ----------------------------------------------------------


def _read(payload: Any, base: str) -> TrustList:
    _LIST(payload, "the list")
    content = payload["LoTE"]
    scheme = content["ListAndSchemeInformation"]
    _check_scheme(scheme, base)
    reader = _Reader(base)
    entities = [
        entity
        for members in content.get("TrustedEntitiesList", ())
        for entity in reader.entities(members)
    ]
    if len({(entity.entity_id, entity.kind) for entity in entities}) != len(entities):
        malformed("an entity stands twice in the list")
    return TrustList(
        territory=scheme["SchemeTerritory"],
        operator_names=_by_language(scheme["SchemeOperatorName"]),
        sequence=scheme["LoTESequenceNumber"],
        issued_at=_moment(scheme["ListIssueDateTime"]),
        next_update=_moment(scheme["NextUpdate"]),
        entities=tuple(entities),
    )


def _check_scheme(scheme: Mapping[str, Any], base: str) -> None:
    if scheme["LoTEType"] != f"{base}/lote/issuers":
        malformed("a list of another type")
    country = scheme["SchemeTerritory"]
    if not all(name["value"].startswith(f"{country}:") for name in scheme["SchemeName"]):
        malformed("SchemeName begins with the country and a colon")
    issued, until = _moment(scheme["ListIssueDateTime"]), _moment(scheme["NextUpdate"])
    if not issued < until <= issued + MAX_LIFE_SECONDS:
        malformed("NextUpdate lies within six months after ListIssueDateTime")
    for extension in scheme.get("SchemeExtensions", ()):
        if extension["critical"]:  # none is known at this place
            malformed("a critical scheme extension is not understood")


class _Found(NamedTuple):
    """What one service says."""

    kind: Kind
    keys: Sequence[ListedKey]
    leaves: Sequence[tuple[bytes, x509.Leaf]]
    grants: Sequence[str]
    delegations: Sequence[str]
    statements: Sequence[str]


@dataclass(slots=True)
class _Reader:
    """Reads entities; certificates and keys repeat in every service of an issuer."""

    base: str
    leaves: dict[str, tuple[bytes, x509.Leaf]] = field(default_factory=dict)

    def entities(self, members: Mapping[str, Any]) -> Iterator[Entity]:
        """The entity once for each of its capacities."""
        information = members["TrustedEntityInformation"]
        entity_id = _entity_id(information["TEInformationExtensions"])
        services = [one["ServiceInformation"] for one in members["TrustedEntityServices"]]
        types = [service["ServiceTypeIdentifier"] for service in services]
        if len(set(types)) != len(types):
            malformed("an entity has two services of one type")
        found = [self._service(service) for service in services]
        for kind in dict.fromkeys(one.kind for one in found):
            parts = [one for one in found if one.kind == kind]
            leaves = dict(pair for part in parts for pair in part.leaves)
            keys = _merge_keys(key for part in parts for key in part.keys)
            yield Entity(
                entity_id,
                _by_language(information["TEName"]),
                kind,
                tuple(_within_window(key, leaves.values()) for key in keys),
                tuple(leaves),
                _union(part.grants for part in parts),
                _union(part.delegations for part in parts),
                _union(part.statements for part in parts),
            )

    def _service(self, members: Mapping[str, Any]) -> _Found:
        status = members["ServiceStatus"].removeprefix(f"{self.base}/svc-status/")
        if status not in SERVICE_STATUSES:
            malformed("a service in an unknown status")
        extensions = _extensions(members["ServiceInformationExtensions"])
        identity = members["ServiceDigitalIdentity"]
        leaves = [self._leaf(one["val"]) for one in identity.get("X509Certificates", ())]
        keys = _listed_keys(extensions["keys"])
        _check_identity(identity, [leaf for _, leaf in leaves], keys)
        return _Found(
            self._kind(members["ServiceTypeIdentifier"]),
            keys,
            leaves,
            _texts(extensions["grant"]),
            _texts(extensions["delegation"]),
            _texts([text for texts in extensions["statements"] for text in _items(texts)]),
        )

    def _kind(self, service_type: str) -> Kind:
        path = service_type.removeprefix(f"{self.base}/svc/")
        if path == "status":
            return "status"
        if path == "authority":
            return "authority"
        if not _ISSUES.fullmatch(path):
            malformed("a service of an unknown type")
        return "issuer"

    def _leaf(self, text: str) -> tuple[bytes, x509.Leaf]:
        known = self.leaves.get(text)
        if known is None:
            der = b64_decode(text)
            known = self.leaves[text] = (der, x509.read_leaf(x509.load_certificate(der)))
        return known


_ISSUES = re.compile(r"issue/[a-z0-9-]{1,64}/[1-9][0-9]{0,3}")


def _entity_id(extensions: Sequence[Mapping[str, Any]]) -> str:
    found = [one["entity"] for one in extensions if "entity" in one]
    if len(found) != 1 or not isinstance(found[0], dict) or found[0].keys() != {"id"}:
        malformed("an entity without its one identifier")
    identifier = found[0]["id"]
    if not is_entity_id(identifier):
        malformed("an entity id that is no https URL")
    return str(identifier)


def _extensions(listed: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Extension values by name; others are skipped, since none of them is critical."""
    found: dict[str, list[Any]] = {"grant": [], "delegation": [], "keys": [], "statements": []}
    for extension in listed:
        for name in extension.keys() & found.keys():
            found[name].append(extension[name])
    return found


def _listed_keys(lists: Sequence[Any]) -> list[ListedKey]:
    if len(lists) != 1:
        malformed("a service lists its keys once")
    return [_listed_key(members) for members in _items(lists[0])]


def _listed_key(members: Any) -> ListedKey:
    _LISTED_KEY(members, "a listed key")
    public = PublicKey.from_jwk(members["jwk"])
    times = [members[name] for name in ("nbf", "sign_until") if name in members]
    if public.kid != members["kid"]:
        malformed("a key is listed under another key's identifier")
    if not all(is_time(time) and time % HOUR_SECONDS == 0 for time in times):
        malformed("a key begins or ends at another time than a full hour")
    return ListedKey(
        public.jwk, public.kid, members["nbf"], members.get("sign_until"), members["state"]
    )


def _check_identity(
    identity: Mapping[str, Any], leaves: Sequence[x509.Leaf], keys: Sequence[ListedKey]
) -> None:
    """The standard's identity and our keys speak of the same keys, and no authority is a leaf."""
    if not identity:
        malformed("a service without digital identity")
    if not all(leaf.may_sign and leaf.public for leaf in leaves):
        malformed("a service lists a certificate that is no signing leaf")
    certified = {leaf.public.kid for leaf in leaves if leaf.public}
    bare = {PublicKey.from_jwk(jwk).kid for jwk in identity.get("PublicKeyValues", ())}
    if certified and not bare <= certified:
        malformed("a public key beside a certificate is another key")
    if not certified | bare <= {key.kid for key in keys}:
        malformed("a service is identified by a key that it does not list")


def _within_window(key: ListedKey, leaves: Iterable[x509.Leaf]) -> ListedKey:
    """Cut `sign_until` to the private key's usage period; of several certificates the longest."""
    mine = [leaf.signing_until for leaf in leaves if leaf.public and leaf.public.kid == key.kid]
    windows = [end for end in mine if end is not None]
    if not windows or len(windows) != len(mine):
        return key
    end = floor_hour(max(windows))
    return key if key.sign_until and key.sign_until <= end else replace(key, sign_until=end)


def _merge_keys(keys: Iterable[ListedKey]) -> tuple[ListedKey, ...]:
    merged: dict[str, ListedKey] = {}
    for key in keys:
        if merged.setdefault(key.kid, key) != key:
            malformed("two services of an entity contradict each other about a key")
    return tuple(merged.values())


def _union(lists: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(item for items in lists for item in items))


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        malformed("an extension holds no list, or an empty one")
    return value


def _texts(values: Sequence[Any]) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        malformed("a statement in a list is a text")
    return list(values)


def _by_language(names: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {name["lang"]: name["value"] for name in names}


def _moment(text: str) -> int:
    return to_seconds(parse_time(text))
