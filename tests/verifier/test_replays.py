from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from talentseal.errors import UnavailableError
from talentseal.holder import Replays
from verifier.offline.replays import MemoryReplays, StoredReplays

NOW = 1_795_251_600


@pytest.fixture(params=["memory", "stored"])
def replays(request: pytest.FixtureRequest, tmp_path: Path) -> Replays:
    return MemoryReplays() if request.param == "memory" else StoredReplays(tmp_path / "r", now=NOW)


def test_a_proof_is_new_once(replays: Replays) -> None:
    assert replays.first_use(b"a", until=NOW + 9)
    assert replays.first_use(b"b", until=NOW + 9)
    assert not replays.first_use(b"a", until=NOW + 9)
    assert not replays.first_use(b"a", until=NOW + 99)


def test_a_desk_remembers_between_runs_and_forgets_what_is_too_old(tmp_path: Path) -> None:
    def use(key: bytes, now: int) -> bool:
        return StoredReplays(tmp_path / "r", now=now, kept=1).first_use(key, until=now + 9)

    assert use(b"a", NOW)
    assert not use(b"a", NOW + 9)
    assert use(b"b", NOW + 10)  # of what is too old the last stays
    assert not use(b"a", NOW + 10)
    assert use(b"c", NOW + 20)
    assert use(b"a", NOW + 20)


def test_a_leap_of_the_clock_makes_no_proof_new(tmp_path: Path) -> None:
    assert StoredReplays(tmp_path / "r", now=NOW).first_use(b"a", until=NOW + 600)
    late = NOW + 31 * 24 * 3600
    for key in (b"b", b"c"):
        assert StoredReplays(tmp_path / "r", now=late).first_use(key, until=late + 600)
    assert not StoredReplays(tmp_path / "r", now=NOW + 5).first_use(b"a", until=NOW + 600)


def test_nobody_else_reads_it_and_a_refusal_does_not_tell_where_it_is(tmp_path: Path) -> None:
    assert StoredReplays(tmp_path / "r", now=NOW).first_use(b"a", until=NOW + 9)
    assert (tmp_path / "r").stat().st_mode & 0o077 == 0
    with pytest.raises(UnavailableError) as found:
        StoredReplays(tmp_path / "r" / "x", now=NOW).first_use(b"a", until=NOW + 9)
    assert str(tmp_path) not in found.value.message + found.value.hint


def test_of_many_at_once_one_is_the_first(tmp_path: Path) -> None:
    def use(_: int) -> bool:
        return StoredReplays(tmp_path / "r", now=NOW).first_use(b"a", until=NOW + 9)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(use, range(32))) == [False] * 31 + [True]


def test_a_memory_that_is_full_accepts_nothing_more(tmp_path: Path) -> None:
    replays = StoredReplays(tmp_path / "r", now=NOW, max_proofs=3)
    for number in range(3):
        assert replays.first_use(bytes([number]), until=NOW + 9)
    with pytest.raises(UnavailableError):
        replays.first_use(b"x", until=NOW + 9)
    later = StoredReplays(tmp_path / "r", now=NOW + 10, max_proofs=3)
    assert later.first_use(b"x", until=NOW + 19)


def test_a_damaged_memory_accepts_nothing(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"not a database, but long enough to be taken for one" * 99)
    with pytest.raises(UnavailableError, match="cannot be kept"):
        StoredReplays(tmp_path / "r", now=NOW).first_use(b"a", until=NOW)
