"""What foreign verifiers are asked, and the page that tells what they said.

`docs/interoperability.md` is written from the answers, so that no line of it was typed by hand:

    PYTHONPATH=tests .venv/bin/python -m foreign

The network's clock is the machine's, because these libraries read no other.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interplay
from forging import digest_of, disclosure, jws, open_code, reseal, sealer, sign1, unseal
from simulator import DAY, YEAR, Held, World, verdict_codes

from benchmarks import peer
from talentseal.encoding import b64url_encode, dump_cbor, dump_json
from talentseal.keys import new_signer

PAGE = Path(__file__).resolve().parents[1] / "docs" / "interoperability.md"
AUDIENCE, NONCE = "https://desk.example", "q83vEjRWeJASNFZ4kBI0Vg"
WALLET_PEERS = ("sd-jwt", "openvc-core")
CODE_PEERS = ("cwt", "pycose")
NOT_THEIRS = "Asked of a credential's verifier, not of a library for one token."


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile input, our code for it, and why we are stricter than who accepts it."""

    name: str
    shown: str | bytes
    code: str
    reason: str
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A case with the answers: peer -> accepted."""

    case: Case
    answers: Mapping[str, bool]


def network() -> World:
    return World.honest(int(time.time()))


# --- what we issue --------------------------------------------------------------------------------


def issuer_jwk(held: Held) -> dict[str, str]:
    return sealer(held).public.jwk


def wallet_request(name: str, held: Held, text: str, *, bound: bool = False) -> dict[str, Any]:
    asked = {"audience": AUDIENCE, "nonce": NONCE} if bound else {}
    return {"peer": name, "action": "verify", "text": text, "jwk": issuer_jwk(held), **asked}


def code_request(name: str, held: Held, code: bytes) -> dict[str, Any]:
    return {"peer": name, "action": "verify", "message": code.hex(), "jwk": issuer_jwk(held)}


def proof_request(name: str, held: Held, code: bytes) -> dict[str, Any]:
    """The outer message of a dynamic code: sealed by the holder, of no kind they know."""
    jwk = held.holder.public.jwk
    return {"peer": name, "action": "verify", "message": code.hex(), "jwk": jwk, "layer": "cose"}


# --- hostile wallet credentials -------------------------------------------------------------------


def wallet_cases(world: World, held: Held) -> list[Case]:
    """`held` changed in one respect each, and sealed again by its own issuer where that helps."""
    now = world.now
    city = world.city
    revoked = city.issue()
    city.set_status(revoked, 1)
    old: dict[str, Any] = {"at": now - YEAR + DAY, "exp": now - DAY}
    return [
        Case("a changed signature", _other_signature(held), "SIGNATURE_INVALID", ""),
        Case("the algorithm `none`", reseal(held, header={"alg": "none"}), "ALG_NOT_ALLOWED", ""),
        Case("expired", city.issue(**old).text, "EXPIRED", "RFC 7519 §4.1.4."),
        Case("not yet valid", city.issue(nbf=now + DAY).text, "NOT_YET_VALID", "RFC 7519 §4.1.5."),
        Case("another `typ`", reseal(held, header={"typ": "JWT"}), "TYPE_CONFUSION",
             "A token of another kind by the same key must not pass; RFC 8725 §3.11."),
        Case("an unknown critical header", reseal(held, header={"crit": ["x"], "x": 1}),
             "CRIT_UNKNOWN", "RFC 7515 §4.1.11."),
        Case("a member name twice", _name_twice(held), "MALFORMED",
             "Two readers would see two credentials; RFC 7519 §4."),
        Case("stray bits in the last character", _stray_bits(held), "MALFORMED",
             "One text for one credential, or a block list of texts is blind."),
        Case("a disclosure twice", _twice(held), "DISCLOSURE_INVALID", "RFC 9901 §7.1 (4)."),
        Case("a disclosure of another credential", held.text + disclosure("salt", "sex", "M") + "~",
             "DISCLOSURE_INVALID", "RFC 9901 §7.1 (5)."),
        Case("`exp` hidden in a disclosure", _hidden_exp(held), "CLAIM_MISSING",
             "Who may hide the end of validity may outlive it."),
        Case("no chain of certificates", reseal(held, drop=["x5c"]), "CLAIM_MISSING",
             "Our profile demands one, for wallets that know nothing but certificates."),
        Case("sealed by a body that is not listed", _unlisted(held), "KEY_UNKNOWN", NOT_THEIRS),
        Case("revoked", revoked.text, "REVOKED", NOT_THEIRS),
    ]  # fmt: skip


def bound_cases(world: World, held: Held) -> list[Case]:
    """Presentations with a holder's proof that fits something else."""
    at = world.now
    good = held.present("sex", audience=AUDIENCE, nonce=NONCE, at=at)
    proof = good[good.rindex("~") + 1 :]
    other = held.present("sex", "given_name", audience=AUDIENCE, nonce=NONCE, at=at)
    return [
        Case(name, text, code, "RFC 9901 §7.3.", bound=True)
        for name, text, code in (
            ("a proof for another verifier",
             held.present("sex", audience="https://other.example", nonce=NONCE, at=at),
             "HOLDER_AUDIENCE"),
            ("a proof for another request",
             held.present("sex", audience=AUDIENCE, nonce="AAAA", at=at), "HOLDER_NONCE"),
            ("a disclosure added after the proof", other[: other.rindex("~") + 1] + proof,
             "HOLDER_PROOF_INVALID"),
            ("a proof of a year ago",
             held.present("sex", audience=AUDIENCE, nonce=NONCE, at=at - YEAR), "HOLDER_TIME"),
        )
    ]  # fmt: skip


def _other_signature(held: Held) -> str:
    """A good signature by the same key, over something else."""
    token, rest = held.text.split("~", 1)
    signature = b64url_encode(sealer(held).sign(b"something else"))
    return f"{token.rsplit('.', 1)[0]}.{signature}~{rest}"


def _name_twice(held: Held) -> str:
    head, body = unseal(held.text)
    twice = dump_json(body)[:-1] + b',"iat":1}'
    return f"{jws(head, twice, sealer(held))}~"


def _stray_bits(held: Held) -> str:
    token, rest = held.text.split("~", 1)
    assert token[-1] in "AQgw"
    return f"{token[:-1]}{chr(ord(token[-1]) + 1)}~{rest}"


def _twice(held: Held) -> str:
    token, first, *others = held.text.split("~")
    return "~".join((token, first, first, *others))


def _hidden_exp(held: Held) -> str:
    _, body = unseal(held.text)
    hidden = disclosure("salt", "exp", body["exp"])
    digests = sorted([*body["_sd"], digest_of(hidden)])
    kept = [*held.text.split("~")[1:-1], hidden]
    return reseal(held, payload={"_sd": digests}, drop=["exp"], disclosures=kept)


def _unlisted(held: Held) -> str:
    stranger = new_signer()
    return reseal(held, header={"kid": stranger.public.kid}, signer=stranger)


# --- hostile codes --------------------------------------------------------------------------------


def code_cases(world: World, held: Held) -> list[Case]:
    now, city = world.now, world.city
    revoked = city.issue()
    city.set_status(revoked, 1)
    head, claims = open_code(held.code)
    payload = dump_cbor(claims)
    key = sealer(held)
    old: dict[str, Any] = {"at": now - YEAR + DAY, "exp": now - DAY}
    one = "One sequence of bytes for one credential; RFC 8949 §4.2.1."
    return [
        Case("a changed signature", held.code[:-1] + bytes((held.code[-1] ^ 1,)),
             "SIGNATURE_INVALID", ""),
        Case("expired", city.issue(**old).code, "EXPIRED", "RFC 8392 §3.1.4."),
        Case("not yet valid", city.issue(nbf=now + DAY).code, "NOT_YET_VALID", "RFC 8392 §3.1.5."),
        Case("another type", sign1({**head, 16: "application/statuslist+cwt"}, payload, key),
             "TYPE_CONFUSION", "A token of another kind by the same key must not pass; RFC 9596."),
        Case("an unknown critical header", sign1({**head, 2: [99], 99: 1}, payload, key),
             "CRIT_UNKNOWN", "RFC 9052 §3.1."),
        Case("bytes after the code", held.code + b"\x00", "MALFORMED", one),
        Case("a key twice in the content", sign1(head, _key_twice(payload), key), "MALFORMED",
             "Two readers would see two credentials; RFC 8949 §5.6."),
        Case("a head longer than it need be", _long_head(held), "MALFORMED", one),
        Case("no issuer", sign1(head, dump_cbor({k: v for k, v in claims.items() if k != 1}), key),
             "CLAIM_MISSING", NOT_THEIRS),
        Case("revoked", revoked.code, "REVOKED", NOT_THEIRS),
    ]  # fmt: skip


def _key_twice(payload: bytes) -> bytes:
    """The map with one member more: `iat` again, at the end."""
    assert payload[0] & 0xE0 == 0xA0
    return bytes((payload[0] + 1,)) + payload[1:] + b"\x06\x01"


def _long_head(held: Held) -> bytes:
    """The same message with the length of its signature in two bytes."""
    assert held.code[-66:-64] == b"\x58\x40"
    return held.code[:-66] + b"\x59\x00\x40" + held.code[-64:]


# --- answers and page -----------------------------------------------------------------------------


def our_codes(world: World, case: Case) -> list[str]:
    """The codes of our verdict on a case."""
    asked: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE} if case.bound else {}
    verdict = world.check(case.shown, **asked)
    return verdict_codes(verdict)


def rows(held: Held, cases: Sequence[Case], peers: Sequence[str]) -> list[Row]:
    """What each peer said of each case."""
    requests = [
        code_request(name, held, case.shown) if isinstance(case.shown, bytes)
        else wallet_request(name, held, case.shown, bound=case.bound)
        for case in cases
        for name in peers
    ]  # fmt: skip
    answers = iter(peer.ask([_keyed(request, held) for request in requests]))
    return [Row(case, {name: next(answers)["accepted"] for name in peers}) for case in cases]


def _keyed(request: dict[str, Any], held: Held) -> dict[str, Any]:
    return {**request, "jwk": issuer_jwk(held)}


def unexplained(found: Sequence[Row]) -> list[str]:
    """Cases that a peer accepts although the page gives no reason for our refusal."""
    return [row.case.name for row in found if any(row.answers.values()) and not row.case.reason]


def render(wallet: Sequence[Row], codes: Sequence[Row], versions: Mapping[str, str]) -> str:
    told = ", ".join(f"`{name}` {number}" for name, number in versions.items())
    lines = [
        "# Interoperability",
        "",
        "Written by `tests/foreign.py`; do not edit. What we issue is accepted by these foreign",
        f"verifiers: {told}.",
        "They read the wallet form with and without the holder's proof, and the code with and",
        "without the live proof around it.",
        "",
        "The tables show hostile inputs that we refuse, with our code, and what each of them says.",
        "Where one accepts, the last column says why we are stricter.",
        "",
        *_table("Wallet form", wallet),
        "",
        *_table("Code", codes),
        "",
        *interplay.lines(),
    ]
    return "\n".join(lines)


def _table(title: str, found: Sequence[Row]) -> list[str]:
    names = list(found[0].answers)
    columns = "".join(f" `{name}` |" for name in names)
    lines = [f"## {title}", "", f"| input | ours |{columns} why we refuse |"]
    lines.append("|---" * (3 + len(names)) + "|")
    for row in found:
        said = "".join(f" {'accepts' if yes else 'refuses'} |" for yes in row.answers.values())
        stricter = any(row.answers.values())
        reason = f" {row.case.reason} |" if stricter else " |"
        lines.append(f"| {row.case.name} | `{row.case.code}` |{said}{reason}")
    return lines


def versions(held: Held) -> dict[str, str]:
    """The versions of the peers, as their own environment tells them."""
    text = wallet_request("sd-jwt", held, held.text)
    asked = [{**text, "peer": name} for name in WALLET_PEERS]
    asked += [code_request(name, held, held.code) for name in CODE_PEERS]
    return {str(answer["peer"]): str(answer["version"]) for answer in peer.ask(asked)}


def page() -> str:
    world = network()
    held = world.city.issue()
    wallet = rows(held, wallet_cases(world, held) + bound_cases(world, held), WALLET_PEERS)
    return render(wallet, rows(held, code_cases(world, held), CODE_PEERS), versions(held))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
