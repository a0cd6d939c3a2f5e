"""Goal 6: a code, from the text in a QR symbol to the verdict, with every check.

A static code of about 470 bytes as link and digits, from a row of distinct ones with a memory for
one signature, so that each signature is checked. The chain of `base45`, `zlib` and `cwt` reads the
same bytes from their base45 text; `cwt` and `pycose` alone get the bytes themselves.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks import peer
from benchmarks.floor import raw_verify
from benchmarks.goals import GOALS
from benchmarks.inputs import check_refusals, flip_bytes
from benchmarks.pairing import GoalResult, PeerFigure, blocks_for, pair, result
from benchmarks.shown import (
    DAY,
    HOST,
    ROW,
    YEAR,
    Network,
    accepts,
    as_digits,
    desk,
    each,
    forgetful,
    network,
)  # fmt: skip
from talentseal import codetext

PEER_CALLS = {"base45+zlib+cwt": 25, "cwt": 25, "pycose": 2}  # calls in a block: one is slow
PEER_BLOCKS = 60
QUICK_PEER_BLOCKS = 15
WHY_NOT_LOWER = (
    "in raws, timed function by function apart from this run: the signature 1.0, CBOR of the "
    "claims 0.55, the holder's compressed point 0.5 (a root, made to refuse what is no point), "
    "digits and inflating 0.4, judging 0.4, the message around the claims 0.3, labels 0.2, hashing "
    "the seal 0.15, verdict 0.1, the procedure itself 0.3."
)


def run(quick: bool) -> list[GoalResult]:  # noqa: FBT001 - the shape all bench modules share
    """Goal 6."""
    city = network()
    codes = [city.code() for _ in range(ROW)]
    row = list(map(as_digits, codes))
    check = desk(forgetful(city.bundle()), city.now)
    bad = _bad(city, codes[0])
    texts = {name: as_digits(code) for name, code in bad.items()}
    texts["digits out of range"] = row[0][:-40] + "9" * 40
    refused = check_refusals(accepts(check), good=row[0], bad=texts)
    pairing = pair(raw_verify("ES256"), each(check, row), blocks=blocks_for(quick=quick))
    inputs = f"{len(codes[0])} bytes as {len(row[0])} characters, {ROW} of them"
    found = result(GOALS[6], pairing, inputs=inputs, refusals_checked=refused)
    peers = _peers(city, codes[0], bad, quick=quick)
    return [replace(found, peers=peers, why_not_lower=WHY_NOT_LOWER)]


def _bad(city: Network, good: bytes) -> dict[str, bytes]:
    return {
        "signature": flip_bytes(good, len(good) - 9),
        "content": flip_bytes(good, len(good) // 2),
        "expired": city.code(at=city.now - YEAR + DAY, exp=city.now - DAY),
        "not yet valid": city.code(nbf=city.now + DAY),
        "bytes after it": good + b"\x00",
    }


def _peers(
    city: Network, good: bytes, bad: Mapping[str, bytes], *, quick: bool
) -> tuple[PeerFigure, ...]:
    common: dict[str, Any] = {
        "jwk": city.city.bodies["bureau"].signer.public.jwk,
        "blocks": QUICK_PEER_BLOCKS if quick else PEER_BLOCKS,
    }
    figures = []
    for name, calls in PEER_CALLS.items():
        if name.startswith("base45"):
            given: dict[str, Any] = {"text": _base45(good)}
            given["bad"] = {fault: _base45(code) for fault, code in bad.items()}
        else:
            given = {"message": good.hex()}
            given["bad"] = {fault: code.hex() for fault, code in bad.items()}
        figures.append(peer.figure({"peer": name, "calls": calls, **common, **given}))
    return tuple(figures)


def _base45(code: bytes) -> str:
    return codetext.write_text(code, host=HOST, form="base45")
