"""What a forger can do: take sealed things apart, change them, and seal them again.

Stories about attacks use these verbs where the honest ones of `simulator` refuse. Everything is
written by hand from dicts and bytes, since the code under test would not write it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator import Held

from schemas.verdict import Verdict
from talentseal.cose import sig_structure
from talentseal.encoding import (
    TAG_SIGN1,
    Tag,
    b64url_decode,
    b64url_encode,
    dump_cbor,
    dump_json,
    parse_cbor,
    parse_json,
)
from talentseal.keys import SoftwareSigner


def said(verdict: Verdict) -> tuple[str, list[str]]:
    """The outcome of a verdict, and the codes of all that failed or stayed unknown."""
    return verdict.outcome, [str(code) for code in verdict.codes]


def result_of(verdict: Verdict, check: str) -> list[tuple[str, str | None]]:
    found = [c for c in verdict.checks if c.check == check]
    return [(c.result, str(c.code) if c.code else None) for c in found]


# --- tokens ---------------------------------------------------------------------------------------


def jws(header: Mapping[str, Any] | bytes, payload: Any, signer: SoftwareSigner) -> str:
    """Any header and any payload, really signed."""
    head = header if isinstance(header, bytes) else dump_json(header)
    body = payload if isinstance(payload, bytes) else dump_json(payload)
    text = f"{b64url_encode(head)}.{b64url_encode(body)}"
    return f"{text}.{b64url_encode(signer.sign(text.encode()))}"


def unseal(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a token."""
    header, payload, _ = token.split("~", 1)[0].split(".")
    return parse_json(b64url_decode(header)), parse_json(b64url_decode(payload))


def sealer(held: Held) -> SoftwareSigner:
    """The key of the body that sealed a certificate: what a thief or a corrupt office has."""
    issuer = unseal(held.text)[1]["iss"]
    return next(b.signer for b in held.office.bodies.values() if b.entity_id == issuer)


def without(members: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in set(names)}


def reseal(
    held: Held,
    *,
    header: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    drop: Sequence[str] = (),
    disclosures: Sequence[str] | None = None,
    signer: SoftwareSigner | None = None,
) -> str:
    """The certificate again with other members, sealed by its own issuer unless told otherwise."""
    head, body = unseal(held.text)
    head = without({**head, **(header or {})}, drop)
    body = without({**body, **(payload or {})}, drop)
    kept = held.text.split("~")[1:-1] if disclosures is None else disclosures
    return "~".join((jws(head, body, signer or sealer(held)), *kept, ""))


def disclosure(*parts: Any) -> str:
    return b64url_encode(dump_json(list(parts)))


def digest_of(text: str) -> str:
    return b64url_encode(hashlib.sha256(text.encode()).digest())


# --- codes ----------------------------------------------------------------------------------------


def sign1(
    protected: Mapping[Any, Any] | bytes,
    payload: bytes,
    signer: SoftwareSigner,
    unprotected: Mapping[Any, Any] | None = None,
) -> bytes:
    """Any headers and any payload, really signed."""
    head = protected if isinstance(protected, bytes) else dump_cbor(protected)
    signature = signer.sign(sig_structure(head, payload))
    return dump_cbor(Tag(TAG_SIGN1, [head, dict(unprotected or {}), payload, signature]))


def open_code(code: bytes) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Protected header and claims of a code."""
    protected, _, payload, _ = parse_cbor(code).value
    return dict(parse_cbor(protected)), dict(parse_cbor(payload))


def reseal_code(
    held: Held,
    *,
    protected: Mapping[Any, Any] | None = None,
    claims: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    drop: Sequence[int] = (),
    drop_protected: Sequence[int] = (),
    signer: SoftwareSigner | None = None,
) -> bytes:
    head, body = open_code(held.code)
    head = {k: v for k, v in {**head, **(protected or {})}.items() if k not in drop_protected}
    body = {k: v for k, v in {**body, **(claims or {})}.items() if k not in drop}
    return sign1(head, dump_cbor(body), signer or sealer(held), unprotected)
