"""The files that a jurisdiction publishes: their names, and the small ones' shapes.

What only the root may say (statement keys, certificate authority, name spaces, development mark)
sits in the member `x-talentseal` of `root.json`; everything else is a TUF target. Both sides of a
repository, who writes it and who reads it, share this page. Signatures and hashes are TUF's
business, the meaning of lists and statements that of `compiling`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from schemas.territory import parse_territory
from talentseal.encoding import MAX_METADATA_DEPTH, dump_json, is_time, parse_json
from talentseal.errors import BundleError, InputError
from talentseal.keys import PublicKey

NETWORK = "https://trust.talentseal.example"
ROOT_MEMBER = "x-talentseal"
MAX_ROOT_BYTES = 512_000  # python-tuf's own limit for root metadata

LIST = "lists/issuers.jws"
CA = "ca/"  # ca/<sha256>.der
TYPES = "types/"  # types/<type>/<major>.json
PEERS = "peers/"  # peers/<J>/peer.json, peers/<J>/root.json
RECOGNISED = "recognised/"  # recognised/<J>/<jti>.jwt, and withdrawals beside them
VERIFIER_HOSTS = "policy/verifier-hosts.json"
STATUS = "status/"  # status/<list id>.jwt and .cwt, signed by the status role
HEAD = "status/head.json"


def file_code(jurisdiction: str) -> str:
    """`CN/4403` as it stands in file names and URLs: `CN-4403`."""
    return jurisdiction.replace("/", "-")


@dataclass(frozen=True, slots=True)
class RootInfo:
    """What the root officers say beside TUF's own roles.

    statement_keys  kid -> key that signs delegations, recognitions and key events
    ca_s256         SHA-256 (hex) of each certificate authority's DER certificate
    list_jkt        thumbprints of the keys that may sign the trust list
    """

    network: str
    jurisdiction: str
    entity_id: str
    names: Mapping[str, str]
    dev: bool
    territory: Sequence[str]
    namespaces: Sequence[str]
    statement_keys: Mapping[str, PublicKey]
    ca_s256: frozenset[str]
    list_jkt: frozenset[str]


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """How a jurisdiction introduces another: enough to find and pin it, no recognition."""

    jurisdiction: str
    entity_id: str
    territory: Sequence[str]
    namespaces: Sequence[str]
    root_s256: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Head:
    """The jurisdiction's own word on "this is current and nothing withdrawn is missing"."""

    jurisdiction: str
    issued_at: int
    root_version: int
    targets_version: int
    list_sequence: int
    negative_count: int
    negative_s256: str


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """One jurisdiction's files as TUF vouched for them: versions, and targets by path."""

    root: RootInfo
    root_version: int
    targets_version: int
    snapshot_version: int
    timestamp_expires: int
    targets: Mapping[str, bytes] = field(default_factory=dict)

    def below(self, folder: str) -> Sequence[tuple[str, bytes]]:
        return [
            (path, data) for path, data in sorted(self.targets.items()) if path.startswith(folder)
        ]


def negative_digest(digests: Iterable[str]) -> str:
    """SHA-256 (hex) over the sorted hex digests of all withdrawals and key events, one a line."""
    return hashlib.sha256("".join(f"{d}\n" for d in sorted(digests)).encode()).hexdigest()


def root_member(info: RootInfo) -> dict[str, Any]:
    """The value of `x-talentseal`."""
    return {
        "network": info.network,
        "jurisdiction": info.jurisdiction,
        "entity_id": info.entity_id,
        "names": dict(info.names),
        "dev": info.dev,
        "territory": list(info.territory),
        "namespaces": list(info.namespaces),
        "statement_keys": [key.jwk for key in info.statement_keys.values()],
        "ca_s256": sorted(info.ca_s256),
        "list_jkt": sorted(info.list_jkt),
    }


def parse_root(data: bytes) -> tuple[RootInfo, int]:
    """Our member of a `root.json` whose signatures TUF has checked, and the root's version.

    Raises BundleError `BUNDLE_TAMPERED` for a root without it or with another shape, and
    `NOT_WITNESSED` for one that demands proofs of witnesses: none are read here, so none can be
    taken as given.
    """
    try:
        document = parse_json(data, max_bytes=MAX_ROOT_BYTES, max_depth=MAX_METADATA_DEPTH)
        signed = _member(document, "signed", dict)
        member = _member(signed, ROOT_MEMBER, dict)
        if "tlog_policy_s256" in member:
            _refuse_witnessed()
        keys = [PublicKey.from_jwk(jwk) for jwk in _member(member, "statement_keys", list)]
        info = RootInfo(
            network=_member(member, "network", str),
            jurisdiction=_place(_member(member, "jurisdiction", str)),
            entity_id=_member(member, "entity_id", str),
            names=_member(member, "names", dict),
            dev=_member(member, "dev", bool),
            territory=[_place(place) for place in _texts(member, "territory")],
            namespaces=_texts(member, "namespaces"),
            statement_keys={key.kid: key for key in keys},
            ca_s256=frozenset(_texts(member, "ca_s256")),
            list_jkt=frozenset(_texts(member, "list_jkt")),
        )
        return info, _member(signed, "version", int)
    except InputError as error:
        raise BundleError(
            "root.json does not say what a jurisdiction's root must say", code="BUNDLE_TAMPERED"
        ) from error


def _refuse_witnessed() -> NoReturn:
    raise BundleError(
        "this jurisdiction's data must be proven by witnesses, whose proofs are not read here",
        code="NOT_WITNESSED",
        hint="Use a version of this program that reads them.",
    )


def dump_peer(peer: PeerInfo) -> bytes:
    return dump_json(
        {
            "jurisdiction": peer.jurisdiction,
            "entity_id": peer.entity_id,
            "territory": list(peer.territory),
            "namespaces": list(peer.namespaces),
            "root_s256": peer.root_s256,
            "epoch": peer.epoch,
        }
    )


def parse_peer(data: bytes) -> PeerInfo:
    """Raises InputError `MALFORMED`."""
    member = parse_json(data)
    return PeerInfo(
        jurisdiction=_place(_member(member, "jurisdiction", str)),
        entity_id=_member(member, "entity_id", str),
        territory=[_place(place) for place in _texts(member, "territory")],
        namespaces=_texts(member, "namespaces"),
        root_s256=_member(member, "root_s256", str),
        epoch=_member(member, "epoch", int),
    )


def dump_head(head: Head) -> bytes:
    return dump_json(
        {
            "jurisdiction": head.jurisdiction,
            "issued_at": head.issued_at,
            "root_version": head.root_version,
            "targets_version": head.targets_version,
            "list_sequence": {"issuers": head.list_sequence},
            "negative": {"count": head.negative_count, "s256": head.negative_s256},
        }
    )


def parse_head(data: bytes) -> Head:
    """Raises InputError `MALFORMED`."""
    member = parse_json(data)
    negative = _member(member, "negative", dict)
    issued_at = _member(member, "issued_at", int)
    if not is_time(issued_at):
        _refuse("issued_at")
    return Head(
        jurisdiction=_place(_member(member, "jurisdiction", str)),
        issued_at=issued_at,
        root_version=_member(member, "root_version", int),
        targets_version=_member(member, "targets_version", int),
        list_sequence=_member(_member(member, "list_sequence", dict), "issuers", int),
        negative_count=_member(negative, "count", int),
        negative_s256=_member(negative, "s256", str),
    )


def parse_hosts(data: bytes) -> Sequence[str]:
    """The verifier pages a jurisdiction stands by. Raises InputError `MALFORMED`."""
    return _texts(parse_json(data), "hosts")


def _member(document: Mapping[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    return value if type(value) is kind else _refuse(name)


def _texts(document: Mapping[str, Any], name: str) -> list[str]:
    values: list[str] = _member(document, name, list)
    return values if all(type(value) is str for value in values) else _refuse(name)


def _place(text: str) -> str:
    return text if parse_territory(text) else _refuse("a territory")


def _refuse(name: str) -> NoReturn:
    raise InputError(f"{name} is missing or of a wrong kind", code="MALFORMED")
