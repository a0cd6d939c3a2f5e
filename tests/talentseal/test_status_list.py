"""A status list as its publisher keeps it: one ordinary zlib stream, whatever was changed."""

import random
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talentseal.encoding import b64_encode, inflate, parse_cbor
from talentseal.errors import UsageError
from talentseal.jose import parse_jws
from talentseal.keys import signer_from_secret
from talentseal.status import INVALID, SUSPENDED, VALID, admit
from talentseal.status_list import (
    BITS,
    ENTRIES,
    LIFE_SECONDS,
    TTL_SECONDS,
    ChunkedList,
    Permutation,
    combine_adler32,
    seal_status_cwt,
    seal_status_jwt,
)

NOW = 1_790_000_000
URI = "https://registry.example/status/a1"
ALL = "https://registry.example/status"
PROVIDER = signer_from_secret(51)
CHAIN = [b"leaf, fictional", b"authority, fictional"]


def opened(stream: bytes, size: int) -> bytes:
    """The stream's content by zlib itself and by our strict door, which must agree."""
    raw = zlib.decompress(stream)
    assert inflate(stream, max_bytes=size) == raw
    return raw


def dense(entries: int, bits: int, *, share: float, seed: int = 1) -> ChunkedList:
    draw = random.Random(seed)  # noqa: S311 - the same list in every run
    found = ChunkedList(entries=entries, bits=bits)
    for index in draw.sample(range(entries), int(entries * share)):
        found.set(index, 1 if bits == 1 or draw.random() < 0.9 else 2)
    return found


# --- entries --------------------------------------------------------------------------------------


def test_a_fresh_list_has_a_million_valid_entries_of_two_bits() -> None:
    fresh = ChunkedList()
    assert (fresh.entries, fresh.bits) == (ENTRIES, BITS) == (2**20, 2)
    assert fresh.to_bytes() == bytes(2**18)
    assert opened(fresh.compressed(), 2**18) == bytes(2**18)
    assert fresh.get(ENTRIES - 1) == VALID


def test_entries_are_packed_as_the_draft_shows() -> None:
    one, two = ChunkedList(entries=16, bits=1), ChunkedList(entries=12, bits=2)
    for index, value in enumerate([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]):
        one.set(index, value)
    for index, value in enumerate([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]):
        two.set(index, value)
    assert (one.to_bytes().hex(), two.to_bytes().hex()) == ("b9a3", "c944f9")
    assert one.compact().hex() == "78dadbb918000217015d"
    assert two.compact().hex() == "78da3be9f2130003df0207"


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_setting_one_entry_leaves_its_neighbours_alone(bits: int) -> None:
    found, top = ChunkedList(entries=16, bits=bits), (1 << bits) - 1
    for index in range(16):
        found.set(index, top)
    found.set(7, 0)
    assert [found.get(index) for index in range(16)] == [top] * 7 + [0] + [top] * 8


def test_a_suspension_can_be_lifted_without_a_trace() -> None:
    found = ChunkedList(entries=64)
    found.set(5, SUSPENDED)
    found.set(5, VALID)
    assert found.to_bytes() == bytes(16)


def test_impossible_lists_places_and_values_are_refused() -> None:
    small = ChunkedList(entries=8)
    acts: list[Callable[[], object]] = [
        lambda: ChunkedList(bits=3),
        lambda: ChunkedList(entries=7),
        lambda: ChunkedList(entries=8, data=bytes(3)),
        lambda: small.set(8, INVALID),
        lambda: small.set(-1, INVALID),
        lambda: small.get(8),
        lambda: small.get(-1),
        lambda: small.set(0, 4),
        lambda: small.set(0, -1),
    ]
    for act in acts:
        with pytest.raises(UsageError):
            act()
    assert small.to_bytes() == bytes(2)


# --- compression ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from([1, 2, 4, 8]),
    seed=st.binary(min_size=1, max_size=64),
    sparse=st.booleans(),
    rounds=st.lists(
        st.lists(st.tuples(st.integers(0, 2**15 - 1), st.integers(0, 255)), max_size=20),
        max_size=4,
    ),
)
def test_any_changes_leave_one_zlib_stream_of_the_very_entries(
    bits: int,
    seed: bytes,
    sparse: bool,  # noqa: FBT001 - drawn by name
    rounds: list[list[tuple[int, int]]],
) -> None:
    size = 2**15 * bits // 8
    start = bytes(size) if sparse else (seed * size)[:size]
    found = ChunkedList(entries=2**15, bits=bits, data=start)
    model = [found.get(index) for index in range(2**15)]
    for changes in [[], *rounds]:
        for index, value in changes:
            model[index] = value % (1 << bits)
            found.set(index, model[index])
        packed = sum_of(model, bits)
        assert opened(found.compressed(), size) == packed == found.to_bytes()
    assert opened(found.compact(), size) == found.to_bytes()


def sum_of(values: list[int], bits: int) -> bytes:
    """Pack by arithmetic on each byte, another way than the list's own."""
    per = 8 // bits
    groups = (values[at : at + per] for at in range(0, len(values), per))
    return bytes(sum(v << k * bits for k, v in enumerate(group)) for group in groups)


@pytest.mark.parametrize("bits", [1, 2])
@pytest.mark.parametrize(("share", "room"), [(0.001, 1.0), (0.01, None), (0.05, None)])
def test_a_list_in_pieces_is_hardly_larger_than_a_whole_pass(
    bits: int, share: float, room: float | None
) -> None:
    found = dense(ENTRIES, bits, share=share)
    whole = len(zlib.compress(found.to_bytes(), 9))
    limit = room or {1: 1.12, 2: 1.16}[bits]
    assert len(found.compressed()) <= whole * limit
    assert len(found.compact()) <= whole


def test_a_change_touches_its_own_piece_only() -> None:
    found = dense(2**17, 2, share=0.05)
    before = found.compressed()
    middle = 2**16
    found.set(middle, VALID if found.get(middle) else INVALID)
    after = found.compressed()
    shared = next(n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    assert len(before) // 4 < shared  # everything before the changed piece is the same
    assert before[-1000:-4] == after[-1000:-4]  # and everything after it, but for the checksum


def test_a_list_taken_up_again_publishes_the_same_bytes() -> None:
    found = dense(2**17, 2, share=0.05)
    again = ChunkedList(entries=2**17, data=found.to_bytes())
    assert again.compressed() == found.compressed()
    again.set(9, SUSPENDED)
    found.set(9, SUSPENDED)
    assert again.compressed() == found.compressed()


@given(st.binary(), st.binary())
def test_checksums_of_parts_make_the_checksum_of_the_whole(first: bytes, second: bytes) -> None:
    parts = zlib.adler32(first), zlib.adler32(second)
    assert combine_adler32(*parts, len(second)) == zlib.adler32(first + second)


# --- tokens ---------------------------------------------------------------------------------------


def tokens(chain: list[bytes]) -> tuple[bytes, bytes]:
    found = ChunkedList(entries=64)
    found.set(3, SUSPENDED)
    lst, end = found.compressed(), NOW + LIFE_SECONDS
    texts = [b64_encode(one) for one in chain]
    return (
        seal_status_jwt(
            uri=URI, bits=2, compressed=lst, issued_at=NOW, expires_at=end,
            aggregation_uri=ALL, signer=PROVIDER, x5c=texts,
        ),
        seal_status_cwt(
            uri=URI, bits=2, compressed=lst, issued_at=NOW, expires_at=end,
            aggregation_uri=ALL, signer=PROVIDER, x5chain=chain,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 2])
def test_both_forms_are_read_back_as_the_same_list(length: int) -> None:
    keys = {PROVIDER.public.kid: PROVIDER.public}
    one, two = (admit(t, uri=URI, keys=keys, now=NOW) for t in tokens(CHAIN[:length]))
    assert one == two
    assert (one.value(3), one.value(2), one.size) == (SUSPENDED, VALID, 64)
    assert (one.expires_at, one.ttl) == (NOW + 7 * 86_400, TTL_SECONDS) == (NOW + 604_800, 900)


def test_the_jwt_form_has_the_members_of_the_profile() -> None:
    jws = parse_jws(tokens(CHAIN)[0].decode())
    texts = [b64_encode(one) for one in CHAIN]
    kid = PROVIDER.public.kid
    assert jws.header == {"alg": "ES256", "typ": "statuslist+jwt", "kid": kid, "x5c": texts}
    assert b'"aggregation_uri":"https://registry.example/status"' in jws.payload
    assert "x5c" not in parse_jws(tokens([])[0].decode()).header


def test_the_cwt_form_has_the_members_of_the_profile() -> None:
    protected, unprotected, payload, _ = parse_cbor(tokens(CHAIN)[1]).value
    typ = "application/statuslist+cwt"
    assert parse_cbor(protected) == {1: -7, 4: PROVIDER.public.kid8, 16: typ}
    assert unprotected == {33: CHAIN}
    claims = parse_cbor(payload)
    assert set(claims) == {2, 4, 6, 65533, 65534}
    assert set(claims[65533]) == {"bits", "lst", "aggregation_uri"}
    assert parse_cbor(tokens(CHAIN[:1])[1]).value[1] == {33: CHAIN[0]}  # one stands bare
    assert parse_cbor(tokens([])[1]).value[1] == {}


# --- places ---------------------------------------------------------------------------------------

KEY = bytes(range(32))


@pytest.mark.parametrize("size", [2, 3, 1000, 2**10, 1025])
def test_every_place_is_given_once(size: int) -> None:
    assert sorted(Permutation(KEY, size).block(0, size)) == list(range(size))


@settings(max_examples=50)
@given(st.sets(st.integers(0, ENTRIES - 1), min_size=2, max_size=200), st.binary(min_size=16))
def test_places_of_a_whole_list_never_meet(counters: set[int], key: bytes) -> None:
    order = Permutation(key, ENTRIES)
    places = {order.index(counter) for counter in counters}
    assert len(places) == len(counters)
    assert all(0 <= place < ENTRIES for place in places)


@settings(max_examples=50)
@given(st.integers(2, 5000), st.integers(0, 2**40), st.binary(min_size=16))
def test_every_place_leads_back_to_its_entry(size: int, number: int, key: bytes) -> None:
    order = Permutation(key, size)
    assert order.counter(order.index(number % size)) == number % size


def test_places_look_like_chance() -> None:
    places = Permutation(KEY, ENTRIES).block(5000, 2000)
    steps = [(b - a) % ENTRIES for a, b in pairwise(places)]
    assert len(set(steps)) > 1990  # no progression
    rising = sum(a < b for a, b in pairwise(places))
    assert 900 < rising < 1100
    counts = [sum(place >> 16 == part for place in places) for part in range(16)]
    assert all(80 < count < 175 for count in counts)  # 125 each, five deviations


def test_the_same_key_gives_the_same_order_and_another_key_another() -> None:
    order = Permutation(KEY, ENTRIES)
    assert order.block(10, 5) == [order.index(n) for n in range(10, 15)]
    assert Permutation(KEY, ENTRIES).block(0, 50) == order.block(0, 50)
    assert not set(Permutation(bytes(32), ENTRIES).block(0, 50)) & set(order.block(0, 50))


def test_the_order_of_a_key_stays_what_it_is() -> None:
    """Places are handed out over years: an order that changed would hand one out twice."""
    assert Permutation(KEY, ENTRIES).block(0, 6) == PINNED


PINNED = [595661, 608950, 875191, 657443, 250505, 325465]


def test_impossible_orders_and_counters_are_refused() -> None:
    acts: list[Callable[[], object]] = [
        lambda: Permutation(bytes(15), ENTRIES),
        lambda: Permutation(KEY, 1),
        lambda: Permutation(KEY, 8).index(8),
        lambda: Permutation(KEY, 8).index(-1),
        lambda: Permutation(KEY, 8).block(6, 3),
        lambda: Permutation(KEY, 8).counter(8),
        lambda: Permutation(KEY, 8).counter(-1),
    ]
    for act in acts:
        with pytest.raises(UsageError):
            act()
