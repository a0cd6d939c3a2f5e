"""Writing a Token Status List: entries, tokens, unpredictable indices.

A change must be public within seconds, so a list is kept as raw bytes beside one compressed piece
for each few KiB: only pieces that changed are compressed again, and together they are one ordinary
zlib stream. `compact` does the whole list at the best level, for the quiet hours. Indices come
from a secret permutation, so that neighbours in issuance are strangers in the list.

Standards: draft-ietf-oauth-status-list-21 §4-§6; DEFLATE RFC 1951, zlib RFC 1950.
"""

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any

from talentseal.cose import HEADER_KID, HEADER_TYP, HEADER_X5CHAIN, sign_sign1
from talentseal.encoding import b64url_encode, dump_cbor, dump_json
from talentseal.errors import UsageError
from talentseal.jose import sign_jws
from talentseal.keys import Signer
from talentseal.status import (
    CWT_EXP,
    CWT_IAT,
    CWT_LIST,
    CWT_SUB,
    CWT_TTL,
    CWT_TYP,
    JWT_TYP,
)

ENTRIES = 2**20  # a herd of a million hides who is who
BITS = 2  # valid, invalid, suspended
TTL_SECONDS = 900
LIFE_SECONDS = 7 * 86_400
# Smaller pieces cost bytes, larger ones time. With one entry in a hundred set, these sizes keep a
# change fifty times cheaper than a whole pass at level 9, for 12 % more bytes at one bit an entry
# and 16 % at two.
CHUNK_BYTES = 5120
CHUNK_BYTES_ONE_BIT = 4096
# Below one byte in a hundred set, pieces cost half as many bytes again and a whole pass is cheap.
_SPARSE = 100
_LEVEL = 9
_MEMORY_LEVEL = 8
_RAW_DEFLATE = -15
_ZLIB_HEAD = b"\x78\xda"
_LAST_BLOCK = b"\x03\x00"  # an empty final block ends the stream
_ADLER_BASE = 65_521


class ChunkedList:
    """A mutable list that is cheap to publish after a change."""

    def __init__(self, *, entries: int = ENTRIES, bits: int = BITS, data: bytes = b"") -> None:
        if bits not in (1, 2, 4, 8) or entries * bits % 8:
            raise UsageError("a status list has 1, 2, 4 or 8 bits an entry and whole bytes")
        size = entries * bits // 8
        if data and len(data) != size:
            raise UsageError(f"a list of {len(data)} bytes, where {size} belong")
        self.entries = entries
        self.bits = bits
        self._raw = bytearray(data or bytes(size))
        self._filled = size - self._raw.count(0)
        self._chunk_bytes = CHUNK_BYTES_ONE_BIT if bits == 1 else CHUNK_BYTES
        chunks = -(-size // self._chunk_bytes)
        self._pieces: list[bytes] = [b""] * chunks
        self._sums = [1] * chunks
        self._dirty = set(range(chunks))

    def get(self, index: int) -> int:
        """The entry at `index`. Raises UsageError beyond the end."""
        byte, shift = self._place(index)
        return self._raw[byte] >> shift & ((1 << self.bits) - 1)

    def set(self, index: int, value: int) -> None:
        """Change one entry. Raises UsageError for an index or value that does not fit."""
        mask = (1 << self.bits) - 1
        if not 0 <= value <= mask:
            raise UsageError(f"an entry has {self.bits} bits")
        byte, shift = self._place(index)
        changed = self._raw[byte] & ~(mask << shift) & 0xFF | value << shift
        if changed != self._raw[byte]:
            self._filled += (changed != 0) - (self._raw[byte] != 0)
            self._raw[byte] = changed
            self._dirty.add(byte // self._chunk_bytes)

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < self.entries:
            raise UsageError(f"a list of {self.entries} entries has no index {index}")
        bit = index * self.bits
        return bit >> 3, bit & 7

    def to_bytes(self) -> bytes:
        return bytes(self._raw)

    def compressed(self) -> bytes:
        """One zlib stream of the whole list; only chunks that changed are compressed again.

        While little is set, or all of it fits one chunk, this is `compact`.
        """
        if self._filled * _SPARSE < len(self._raw) or len(self._pieces) == 1:
            return self.compact()
        for number in self._dirty:
            chunk = bytes(self._chunk(number))
            self._pieces[number] = _piece(chunk)
            self._sums[number] = zlib.adler32(chunk)
        self._dirty.clear()
        return b"".join((_ZLIB_HEAD, *self._pieces, _LAST_BLOCK, self._adler().to_bytes(4)))

    def compact(self) -> bytes:
        """The smallest stream of the same bytes, for a pass in the background."""
        raw = bytes(self._raw)
        matched = zlib.compress(raw, _LEVEL)
        counted = _deflate(raw, zlib.MAX_WBITS, zlib.Z_HUFFMAN_ONLY, zlib.Z_FINISH)
        return min(matched, counted, key=len)

    def _chunk(self, number: int) -> bytearray:
        return self._raw[number * self._chunk_bytes : (number + 1) * self._chunk_bytes]

    def _adler(self) -> int:
        total = 1
        for number, part in enumerate(self._sums):
            total = combine_adler32(total, part, len(self._chunk(number)))
        return total


def _piece(chunk: bytes) -> bytes:
    """One chunk as blocks that end on a whole byte and refer to nothing before them.

    Matches suit a sparse chunk. In a dense one they cost more than they save, and Huffman codes
    alone, tried in a twentieth of the time, come out smaller.
    """
    strategies = (zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY)
    return min((_deflate(chunk, _RAW_DEFLATE, s, zlib.Z_FULL_FLUSH) for s in strategies), key=len)


def _deflate(data: bytes, window: int, strategy: int, end: int) -> bytes:
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, window, _MEMORY_LEVEL, strategy)
    return stream.compress(data) + stream.flush(end)


def combine_adler32(first: int, second: int, second_length: int) -> int:
    """The Adler-32 of two texts joined, from those of each (RFC 1950 §9)."""
    low = ((first & 0xFFFF) + (second & 0xFFFF) - 1) % _ADLER_BASE
    carried = second_length * ((first & 0xFFFF) - 1)
    high = ((first >> 16) + (second >> 16) + carried) % _ADLER_BASE
    return high << 16 | low


# --- tokens ---------------------------------------------------------------------------------------


def seal_status_jwt(
    *,
    uri: str,
    bits: int,
    compressed: bytes,
    issued_at: int,
    expires_at: int,
    ttl: int = TTL_SECONDS,
    aggregation_uri: str | None = None,
    signer: Signer,
    x5c: Sequence[str],
) -> bytes:
    """The JWT form (§5.1); times are NumericDates, `x5c` leaf first, no anchor; may be empty."""
    listed = {"bits": bits, "lst": b64url_encode(compressed)}
    payload = {
        "sub": uri,
        "iat": issued_at,
        "exp": expires_at,
        "ttl": ttl,
        "status_list": listed | ({"aggregation_uri": aggregation_uri} if aggregation_uri else {}),
    }
    header: dict[str, Any] = {"typ": JWT_TYP, "kid": signer.public.kid}
    if x5c:
        header["x5c"] = list(x5c)
    return sign_jws(dump_json(payload), header, signer).encode()


def seal_status_cwt(
    *,
    uri: str,
    bits: int,
    compressed: bytes,
    issued_at: int,
    expires_at: int,
    ttl: int = TTL_SECONDS,
    aggregation_uri: str | None = None,
    signer: Signer,
    x5chain: Sequence[bytes],
) -> bytes:
    """The CWT form (§5.2), the same bits for codes and bundles."""
    listed: dict[str, Any] = {"bits": bits, "lst": compressed}
    if aggregation_uri:
        listed["aggregation_uri"] = aggregation_uri
    payload = {
        CWT_SUB: uri,
        CWT_EXP: expires_at,
        CWT_IAT: issued_at,
        CWT_TTL: ttl,
        CWT_LIST: listed,
    }
    protected = {HEADER_KID: signer.public.kid8, HEADER_TYP: CWT_TYP}
    # RFC 9360 §2: one certificate alone, several as an array.
    chain = x5chain[0] if len(x5chain) == 1 else list(x5chain)
    unprotected = {HEADER_X5CHAIN: chain} if x5chain else {}
    return sign_sign1(dump_cbor(payload), protected, signer, unprotected)


# --- unpredictable indices ------------------------------------------------------------------------

_ROUNDS = 6  # enough to hide order from who does not hold the key


class Permutation:
    """A secret order of the numbers below `size`: a Feistel network with cycle walking.

    key  at least 16 random bytes, kept as secret as a signing key
    """

    def __init__(self, key: bytes, size: int) -> None:
        if len(key) < 16 or size < 2:
            raise UsageError("a permutation needs a key of 16 bytes and two places at least")
        self.size = size
        self._half = ((size - 1).bit_length() + 1) // 2
        self._mask = (1 << self._half) - 1
        self._keys = [
            hashlib.blake2b(bytes((r,)), key=key[:64], digest_size=32).digest()
            for r in range(_ROUNDS)
        ]
        self._mixed: list[dict[int, int]] = [{} for _ in self._keys]  # half of a place -> its mix

    def index(self, counter: int) -> int:
        """The place of the `counter`-th entry. Raises UsageError beyond the end."""
        if not 0 <= counter < self.size:
            raise UsageError(f"a list of {self.size} entries has no counter {counter}")
        value = self._mix(counter)
        while value >= self.size:
            value = self._mix(value)
        return value

    def block(self, first: int, count: int) -> list[int]:
        return [self.index(counter) for counter in range(first, first + count)]

    def counter(self, index: int) -> int:
        """Which entry has that place: `index` reversed. Raises UsageError beyond the end."""
        if not 0 <= index < self.size:
            raise UsageError(f"a list of {self.size} entries has no index {index}")
        value = self._unmix(index)
        while value >= self.size:
            value = self._unmix(value)
        return value

    def _mix(self, value: int) -> int:
        left, right = value >> self._half, value & self._mask
        for number in range(_ROUNDS):
            left, right = right, left ^ self._round(number, right)
        return left << self._half | right

    def _unmix(self, value: int) -> int:
        left, right = value >> self._half, value & self._mask
        for number in reversed(range(_ROUNDS)):
            left, right = right ^ self._round(number, left), left
        return left << self._half | right

    def _round(self, number: int, half: int) -> int:
        """What one round makes of half a place: of a thousand halves, not of a million places."""
        known = self._mixed[number]
        mixed = known.get(half)
        if mixed is None:
            key = self._keys[number]
            digest = hashlib.blake2b(half.to_bytes(8), key=key, digest_size=8).digest()
            mixed = known[half] = int.from_bytes(digest) & self._mask
        return mixed
