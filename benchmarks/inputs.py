"""What the benchmarks measure on: the same inputs every time, and proof that they are judged.

Everything is derived from one seed, so that a figure can be repeated. Before anything is timed,
`check_refusals` makes sure that the thing measured accepts the good input and refuses the altered
ones: a fast verifier that accepts everything is no result.
"""

import random
from collections.abc import Callable, Mapping
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

SEED = 20_260_101

T = TypeVar("T")


class NotJudgedError(Exception):
    """The thing to be measured accepts what it must refuse, or the reverse: there is no figure."""


def seeded(purpose: str) -> random.Random:
    """A random source that gives the same numbers for the same purpose in every run."""
    return random.Random(f"{SEED}/{purpose}")


def secret_key(purpose: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that is the same in every run and protects nothing."""
    return ec.derive_private_key(seeded(f"key/{purpose}").getrandbits(255) + 1, ec.SECP256R1())


def check_refusals(accepts: Callable[[T], bool], *, good: T, bad: Mapping[str, T]) -> int:
    """Count the refusals of `bad`, by name; raise NotJudgedError at the first wrong answer."""
    if not accepts(good):
        raise NotJudgedError("the good input was refused")
    for name, value in bad.items():
        if accepts(value):
            raise NotJudgedError(f"the input with a bad {name} was accepted")
    return len(bad)


def flip_text(text: str, position: int) -> str:
    """`text` with one character of the base64url alphabet changed at `position`."""
    other = "A" if text[position] != "A" else "B"
    return text[:position] + other + text[position + 1 :]


def flip_bytes(data: bytes, position: int) -> bytes:
    """`data` with its lowest bit at `position` changed."""
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
