"""The bundle: everything a verifier knows, as plain tables that were checked on entry.

A bundle holds no signatures that still need checking and opens nothing. `compiling` makes
one from signed artefacts; `sync` stores and reopens one. All times are NumericDates (whole
seconds, UTC), all lists of strings keep the order of the statement they come from. What a bundle
says about a person: nothing; status lists are held whole.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from talentseal.encoding import b64url_decode
from talentseal.keys import KID8_BYTES, PublicKey
from talentseal.status import StatusList
from talentseal.type_metadata import CredentialType

if TYPE_CHECKING:
    from talentseal.artefacts import PeerInfo

Key = TypeVar("Key")
Value = TypeVar("Value")

# Enough for a desk that sees the same few hundred certificates again and again.
MAX_SEEN = 4096
MAX_CHAINS = 1024
CLOCK_MARK_SLACK_SECONDS = 300  # a clock that lies further behind a proven time is wrong


class Memo(Generic[Key, Value]):
    """A bounded memory of answers that cannot change while the bundle stays the same."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        return self._held.get(key)

    def put(self, key: Key, value: Value) -> None:
        self._held[key] = value
        if len(self._held) > self._size:
            self._held.popitem(last=False)


class Event(NamedTuple):
    """A withdrawal or its like, as it bears on one statement (trust effects; `at` a full hour)."""

    effect: str
    at: int
    jti: str


class IssuerKey(NamedTuple):
    """One key of one listed issuer.

    outside          the issuer's host lies outside the name spaces of its jurisdiction
    compromised_at   earliest moment of exposure, if the key was stolen
    survivors        SHA-256 (hex) of the list of earlier certificates, if a key event names one
    chains           certificate chains found good on entry: digest -> first and last good second
    """

    kid: str
    jurisdiction: str
    iss: str
    jwk: Mapping[str, str]
    names: Mapping[str, str]
    nbf: int
    sign_until: int | None = None
    compromised_at: int | None = None
    survivors: str | None = None
    outside: bool = False
    chains: Mapping[str, Sequence[int]] | None = None


class Right(NamedTuple):
    """A grant with its delegation, compiled: who may seal what, where, when.

    fault   the code of what is wrong with the statements themselves, whatever the credential
    stage   how far that fault lets the grant get (6 its own seal, 7 its delegation)
    """

    jti: str
    jurisdiction: str
    iss: str
    authority: str
    vct: Sequence[str]
    jkt: Sequence[str]
    territory: Sequence[str]
    profession: Sequence[str] | None
    max_validity: int | None
    nbf: int
    exp: int
    approval_required: bool
    events: Sequence[Event] = ()
    delegation_jti: str | None = None
    delegation_nbf: int = 0
    delegation_exp: int = 0
    delegation_events: Sequence[Event] = ()
    fault: str | None = None
    stage: int = 9


class RecognitionRight(NamedTuple):
    """What one jurisdiction recognises from another, compiled."""

    jti: str
    jurisdiction: str
    origin: str
    vct: Sequence[str]
    issued_in: Sequence[str]
    valid_in: Sequence[str]
    profession: Sequence[str] | None
    purpose: Sequence[str]
    on_end: str
    nbf: int
    exp: int
    max_age: int | None
    catalogue: str | None = None
    events: Sequence[Event] = ()
    fault: str | None = None


class Jurisdiction(NamedTuple):
    """One jurisdiction's data as held.

    version      of its snapshot
    as_of        the jurisdiction's own word on "this is current" (`status/head.json`)
    ca           DER certificates of its certificate authority
    status_uris  prefixes under which its status providers may publish
    """

    code: str
    entity_id: str
    names: Mapping[str, str]
    territory: Sequence[str]
    namespaces: Sequence[str]
    dev: bool
    version: int
    as_of: int
    ca: Sequence[str] = ()
    status_uris: Sequence[str] = ()
    verifier_hosts: Sequence[str] = ()


class Tables(NamedTuple):
    """The rows of a bundle, as compiled and as stored.

    known_peers   name spaces of peers that home introduces, held or not: code -> DNS suffixes
    status        (jurisdiction, uri) -> the list, or the code that says why it was not admitted
    clock_mark    the latest time already proven, by signed data and a little by clocks
    refused       jurisdiction -> code of the latest update that was refused
    fault         what makes the whole set unusable, if anything does
    """

    home: str
    jurisdictions: Mapping[str, Jurisdiction]
    keys: Sequence[IssuerKey]
    rights: Sequence[Right]
    recognitions: Sequence[RecognitionRight]
    types: Mapping[str, bytes]
    status: Mapping[tuple[str, str], StatusList | str]
    known_peers: Mapping[str, Sequence[str]]
    clock_mark: int = 0
    refused: Mapping[str, str] = MappingProxyType({})
    fault: str | None = None


class Part(NamedTuple):
    """The tables of one jurisdiction, and what it introduces."""

    jurisdiction: Jurisdiction
    keys: Sequence[IssuerKey]
    rights: Sequence[Right]
    recognitions: Sequence[RecognitionRight]
    types: Mapping[str, bytes]
    status: Mapping[tuple[str, str], StatusList | str]
    negatives: frozenset[str]  # digests of withdrawals and key events: none may vanish
    list_sequence: int


def combine(
    home: str,
    parts: Sequence[Part],
    peers: Sequence["PeerInfo"],
    *,
    clock_mark: int = 0,
    refused: Mapping[str, str] | None = None,
) -> Tables:
    """One set of tables: home first, its word on types and name spaces winning.

    peers  everybody home introduces, held or not
    """
    ordered = sorted(parts, key=lambda part: part.jurisdiction.code != home)
    types: dict[str, bytes] = {}
    for part in reversed(ordered):
        types |= part.types
    return Tables(
        home=home,
        jurisdictions={part.jurisdiction.code: part.jurisdiction for part in ordered},
        keys=[key for part in ordered for key in part.keys],
        rights=[right for part in ordered for right in part.rights],
        recognitions=[r for part in ordered for r in part.recognitions],
        types=types,
        status={key: held for part in ordered for key, held in part.status.items()},
        known_peers={peer.jurisdiction: peer.namespaces for peer in peers},
        clock_mark=clock_mark,
        refused=dict(refused or {}),
    )


class ListedKey:
    """An issuer key ready for use: its entry and the key object, built when first needed."""

    __slots__ = ("_public", "entry")

    def __init__(self, entry: IssuerKey) -> None:
        self.entry = entry
        self._public: PublicKey | None = None

    @property
    def public(self) -> PublicKey:
        if self._public is None:
            self._public = PublicKey.from_jwk(self.entry.jwk)
        return self._public


class Bundle:
    """The tables with their indexes, and the memories that live as long as they do."""

    def __init__(
        self,
        tables: Tables,
        *,
        status_bits: Callable[[str, str], StatusList | str | None] | None = None,
    ) -> None:
        self.home = tables.home
        self.jurisdictions = tables.jurisdictions
        self.known_peers = tables.known_peers
        self.clock_mark = tables.clock_mark
        self.refused = tables.refused
        self.fault = tables.fault
        self.oldest = min((held.as_of for held in tables.jurisdictions.values()), default=0)
        self.seen: Memo[bytes, bool] = Memo(MAX_SEEN)
        self.chains: Memo[tuple[str, str, str, int], str] = Memo(MAX_CHAINS)
        self._keys = _index((key.kid, ListedKey(key)) for key in tables.keys)
        self._keys8 = _index(
            (b64url_decode(kid)[:KID8_BYTES], key)
            for kid, keys in self._keys.items()
            for key in keys
        )
        self._issuers = _index((key.iss, key.jurisdiction) for key in tables.keys)
        self._rights = _index(((r.jurisdiction, r.iss), r) for r in tables.rights)
        self._recognitions = _index(((r.jurisdiction, r.origin), r) for r in tables.recognitions)
        self._type_octets = tables.types
        self._types: dict[str, CredentialType] = {}
        self._numbers: dict[int, str] | None = None
        self._status = dict(tables.status)
        self._status_bits = status_bits

    def is_clock_sound(self, now: int) -> bool:
        """Whether a clock is not behind a time already proven."""
        return now >= self.clock_mark - CLOCK_MARK_SLACK_SECONDS

    def find_keys(self, kid: str) -> Sequence[ListedKey]:
        return self._keys.get(kid, ())

    def find_keys8(self, kid8: bytes) -> Sequence[ListedKey]:
        return self._keys8.get(kid8, ())

    def find_issuer(self, iss: str) -> Sequence[str]:
        """The jurisdictions that list this issuer."""
        return self._issuers.get(iss, ())

    def issuer_names(self, iss: str) -> Mapping[str, str]:
        """Language tag -> name by which the registry lists this issuer; empty for a stranger."""
        listed = (key.entry for keys in self._keys.values() for key in keys)
        return next((entry.names for entry in listed if entry.iss == iss), {})

    def find_rights(self, jurisdiction: str, iss: str) -> Sequence[Right]:
        return self._rights.get((jurisdiction, iss), ())

    def find_recognitions(self, jurisdiction: str, origin: str) -> Sequence[RecognitionRight]:
        return self._recognitions.get((jurisdiction, origin), ())

    def find_type(self, vct: str) -> CredentialType | None:
        held = self._types.get(vct)
        if held is None and vct in self._type_octets:
            held = self._types[vct] = CredentialType.parse(self._type_octets[vct])
        return held

    def find_type_by_number(self, number: int) -> CredentialType | None:
        """The type whose codes carry this number instead of its URL."""
        if self._numbers is None:
            held = [(vct, self.find_type(vct)) for vct in self._type_octets]
            self._numbers = {kind.number: vct for vct, kind in held if kind and kind.number}
        vct = self._numbers.get(number)
        return self.find_type(vct) if vct else None

    def find_status(self, jurisdiction: str, uri: str) -> StatusList | str | None:
        """The list, the code of its refusal, or None where nothing is held."""
        held = self._status.get((jurisdiction, uri))
        if held is None and self._status_bits is not None:
            held = self._status_bits(jurisdiction, uri)
            if held is not None:
                self._status[jurisdiction, uri] = held
        return held


def _index(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    table: dict[Any, list[Any]] = {}
    for key, value in pairs:
        table.setdefault(key, []).append(value)
    return table
