"""The store of compiled trust data: one SQLite file per accepted set, read-only once written.

A set is a folder `set-<n>` below the trust home; the file `current` names the one in force and is
replaced atomically, so a crash at any moment leaves the old set or the new one. Opening checks the
set against its own digest and reads small rows at once, status lists only when a check asks for
them. Nothing here verifies signatures: that was done on entry, by `compiling` and `sync`.
"""

import errno
import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from talentseal.bundle import (
    Bundle,
    Event,
    IssuerKey,
    Jurisdiction,
    Part,
    RecognitionRight,
    Right,
    Tables,
    combine,
)
from talentseal.encoding import b64_decode, b64_encode, dump_json, parse_json
from talentseal.errors import InputError, UnavailableError
from talentseal.files import read_bounded, write_atomic
from talentseal.status import StatusList

if TYPE_CHECKING:
    from talentseal.artefacts import PeerInfo

SCHEMA_VERSION = 1
CURRENT = "current"
STORE = "trust.db"
_REFUSED = "refused.json"
_MAX_REFUSED_BYTES = 4096
_MAX_ROW_BYTES = 16 * 1024 * 1024
_MAX_ROW_MEMBERS = 1_000_000
_TRIES = 3  # a reader may meet the moment in which a set is replaced
_SCHEMA = """
create table meta (name text primary key, value text not null);
create table row (jurisdiction text not null, kind text not null, body blob not null);
create index row_by on row (jurisdiction, kind);
create table status (
    jurisdiction text not null, uri text not null, refusal text, bits integer, issued_at integer,
    expires_at integer, ttl integer, sha256 text, data blob, primary key (jurisdiction, uri)
) without rowid;
"""
_EVENTS = frozenset(("events", "delegation_events"))
Record = TypeVar("Record")


class Ratchet(NamedTuple):
    """What must never go back, kept for every jurisdiction that was ever held.

    epoch      of its introduction; 0 for home
    negatives  digests of withdrawals and key events seen
    stolen     thumbprints of keys seen as compromised
    """

    epoch: int
    version: int
    list_sequence: int
    negatives: frozenset[str]
    stolen: frozenset[str]


def ratchet_of(part: Part, before: Ratchet | None, epoch: int) -> Ratchet:
    """The ratchet after `part` was accepted."""
    stolen = {key.kid for key in part.keys if key.compromised_at is not None}
    if before is not None:
        stolen |= before.stolen
    version = part.jurisdiction.version
    return Ratchet(epoch, version, part.list_sequence, part.negatives, frozenset(stolen))


class Stored(NamedTuple):
    """Everything that a store is written from.

    refused  jurisdiction -> code of the latest update that was refused
    """

    home: str
    parts: Sequence[Part]
    peers: "Sequence[PeerInfo]" = ()
    ratchets: Mapping[str, Ratchet] = MappingProxyType({})
    clock_mark: int = 0
    refused: Mapping[str, str] = MappingProxyType({})


class Held(NamedTuple):
    """What the set in force knows, for comparison with what is offered."""

    parts: Mapping[str, Part]
    ratchets: Mapping[str, Ratchet]


NOTHING_HELD = Held({}, {})


def current_set(home: Path) -> Path | None:
    """The folder of the set in force, if there is one."""
    try:
        name = (home / CURRENT).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"{home / CURRENT} cannot be read") from error
    folder = home / name
    return folder if _SET_NAME.fullmatch(name) and folder.is_dir() else None


_SET_NAME = re.compile(r"set-[0-9]{1,18}")


def open_bundle(home: Path) -> Bundle:
    """The bundle of the set in force; one without data, or with a fault, where there is none.

    home  the trust folder of a verifier, an issuer or a wallet
    """
    for _ in range(_TRIES):
        folder = current_set(home)
        if folder is None:
            return Bundle(_empty(None))
        try:
            store = TrustStore(folder / STORE)
            tables = store.tables(refused=refused_updates(home))
        except InputError:
            if current_set(home) == folder:
                break
        else:
            return Bundle(tables, status_bits=store.status)
    return Bundle(_empty("TRUST_DATA_CORRUPT"))


def _empty(fault: str | None) -> Tables:
    return Tables("", {}, (), (), (), {}, {}, {}, fault=fault)


# --- updates of home that were refused ------------------------------------------------------------


def note_refusal(home: Path, jurisdiction: str, code: str) -> None:
    """Later verdicts say that an update was refused. Raises UnavailableError."""
    write_atomic(home / _REFUSED, dump_json({jurisdiction: code}))


def forget_refusal(home: Path) -> None:
    (home / _REFUSED).unlink(missing_ok=True)


def refused_updates(home: Path) -> Mapping[str, str]:
    """Jurisdiction -> code of an update of home that was refused since the last good one."""
    try:
        refused = parse_json(read_bounded(home / _REFUSED, _MAX_REFUSED_BYTES))
    except (UnavailableError, InputError):
        return {}
    return {code: reason for code, reason in refused.items() if isinstance(reason, str)}


def mark_of(home: Path) -> tuple[Path | None, Mapping[str, str]]:
    """What tells one state of the folder from another: the set in force, and updates refused.

    Raises UnavailableError where the folder cannot be read.
    """
    return current_set(home), refused_updates(home)


# --- writing --------------------------------------------------------------------------------------


def write_store(path: Path, stored: Stored) -> None:
    """Write a new store; it must not exist yet. Raises OSError."""
    try:
        with _connected(path) as db:
            _write_all(db, stored)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error)) from error


def _write_all(db: sqlite3.Connection, stored: Stored) -> None:
    db.executescript(_SCHEMA)
    for part in stored.parts:
        _write_part(db, part)
    for peer in stored.peers:
        body = {"jurisdiction": peer.jurisdiction, "namespaces": peer.namespaces}
        _write_row(db, stored.home, "peer", body)
    for code, ratchet in stored.ratchets.items():
        _write_row(db, code, "ratchet", _ratchet_body(ratchet))
    meta = {
        "schema": str(SCHEMA_VERSION),
        "home": stored.home,
        "clock_mark": str(stored.clock_mark),
        "refused": dump_json(dict(stored.refused)).decode(),
    }
    db.executemany("insert into meta values (?, ?)", meta.items())
    db.execute("insert into meta values ('digest', ?)", (_digest(db),))
    db.commit()


def _ratchet_body(ratchet: Ratchet) -> Mapping[str, Any]:
    body = ratchet._asdict()
    return {**body, "negatives": sorted(ratchet.negatives), "stolen": sorted(ratchet.stolen)}


@contextmanager
def _connected(path: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    mode = "ro&immutable=1" if read_only else "rwc"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)
    try:
        yield db
    finally:
        db.close()


def _write_part(db: sqlite3.Connection, part: Part) -> None:
    code = part.jurisdiction.code
    _write_row(db, code, "jurisdiction", part.jurisdiction._asdict())
    seen = {"negatives": sorted(part.negatives), "list_sequence": part.list_sequence}
    _write_row(db, code, "seen", seen)
    for kind, records in (
        ("key", part.keys),
        ("right", part.rights),
        ("recognition", part.recognitions),
    ):
        for record in records:
            _write_row(db, code, kind, _without_events(record))
    for vct, octets in part.types.items():
        _write_row(db, code, "type", {"vct": vct, "octets": b64_encode(octets)})
    for (jurisdiction, uri), held in part.status.items():
        _write_status(db, jurisdiction, uri, held)


def _without_events(record: IssuerKey | Right | RecognitionRight) -> Mapping[str, Any]:
    """A record whose events are spelt out as well, the opposite of `_with_events`."""
    body = record._asdict()
    for name in _EVENTS & body.keys():
        body[name] = [event._asdict() for event in body[name]]
    return body


def _write_row(db: sqlite3.Connection, code: str, kind: str, body: Mapping[str, Any]) -> None:
    db.execute("insert into row values (?, ?, ?)", (code, kind, dump_json(body)))


def _write_status(
    db: sqlite3.Connection, jurisdiction: str, uri: str, held: StatusList | str
) -> None:
    if isinstance(held, str):
        values: tuple[Any, ...] = (held, None, None, None, None, None, None)
    else:
        digest = hashlib.sha256(held.data).hexdigest()
        values = (
            None, held.bits, held.issued_at, held.expires_at, held.ttl, digest, held.data,
        )  # fmt: skip
    db.execute(
        "insert into status values (?, ?, ?, ?, ?, ?, ?, ?, ?)", (jurisdiction, uri, *values)
    )


def _digest(db: sqlite3.Connection) -> str:
    """Over every small row, and over the digests of the lists: what opening can check quickly."""
    total = hashlib.sha256()
    for row in db.execute("select name, value from meta where name <> 'digest' order by name"):
        total.update("\n".join(row).encode() + b"\n")
    for row in db.execute("select jurisdiction, kind, body from row order by rowid"):
        total.update(f"{row[0]}\n{row[1]}\n".encode() + bytes(row[2]) + b"\n")
    for row in db.execute(
        "select jurisdiction, uri, coalesce(refusal, ''), coalesce(bits, 0), "
        "coalesce(issued_at, 0), coalesce(expires_at, 0), coalesce(sha256, '') from status "
        "order by jurisdiction, uri"
    ):
        total.update("\n".join(map(str, row)).encode() + b"\n")
    return total.hexdigest()


# --- reading --------------------------------------------------------------------------------------


@contextmanager
def _checked() -> Iterator[None]:
    """Whatever a damaged file makes of reading it is one error."""
    try:
        yield
    except (sqlite3.Error, InputError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            "the stored trust data was altered or is damaged", code="TRUST_DATA_CORRUPT"
        ) from error


class TrustStore:
    """One written set. Raises InputError `TRUST_DATA_CORRUPT` where it is not what it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_types: dict[bytes, tuple[str, bytes]] = {}
        with _checked(), _connected(path, read_only=True) as db:
            self.meta = dict(db.execute("select name, value from meta"))
            if self.meta["schema"] != str(SCHEMA_VERSION) or self.meta["digest"] != _digest(db):
                raise InputError("its digest differs", code="TRUST_DATA_CORRUPT")
            self._rows = _by_kind(
                db.execute("select jurisdiction, kind, body from row order by rowid")
            )

    def tables(self, *, refused: Mapping[str, str] | None = None) -> Tables:
        """Everything but the status lists, which `status` brings one by one.

        refused  updates refused since the set was written, beside those it knows of
        """
        with _checked():
            known = parse_json(self.meta["refused"].encode())
            peers = self._bodies(self.meta["home"], "peer")
            tables = combine(
                self.meta["home"],
                self._parts(with_status=False),
                (),
                clock_mark=int(self.meta["clock_mark"]),
                refused={**known, **(refused or {})},
            )
            return tables._replace(
                known_peers={peer["jurisdiction"]: peer["namespaces"] for peer in peers}
            )

    def held(self) -> Held:
        """Everything, status lists included, for comparison with what is offered."""
        with _checked():
            parts = self._parts(with_status=True)
            ratchets = {
                code: _ratchet(self._bodies(code, kind)[0])
                for code, kind in self._rows
                if kind == "ratchet"
            }
            return Held({part.jurisdiction.code: part for part in parts}, ratchets)

    def status(self, jurisdiction: str, uri: str) -> StatusList | str | None:
        """One status list, its refusal, or None.

        An altered one is `STATUS_MALFORMED`; where the set is gone, it is `STATUS_UNAVAILABLE`.
        """
        try:
            with _connected(self.path, read_only=True) as db:
                row = db.execute(
                    "select refusal, bits, data, issued_at, expires_at, ttl, sha256 from status "
                    "where jurisdiction = ? and uri = ?",
                    (jurisdiction, uri),
                ).fetchone()
        except sqlite3.Error:
            return "STATUS_UNAVAILABLE"
        return None if row is None else _status_of(uri, row)

    def _parts(self, *, with_status: bool) -> list[Part]:
        codes = [code for code, kind in self._rows if kind == "jurisdiction"]
        return [self._part(code, with_status=with_status) for code in codes]

    def _part(self, code: str, *, with_status: bool) -> Part:
        seen = self._bodies(code, "seen")[0]
        return Part(
            _record(Jurisdiction, self._bodies(code, "jurisdiction")[0]),
            [_record(IssuerKey, body) for body in self._bodies(code, "key")],
            [_with_events(Right, body) for body in self._bodies(code, "right")],
            [_with_events(RecognitionRight, body) for body in self._bodies(code, "recognition")],
            self._types(code),
            self._all_status(code) if with_status else {},
            frozenset(seen["negatives"]),
            seen["list_sequence"],
        )

    def _types(self, code: str) -> dict[str, bytes]:
        """Type documents by name; all jurisdictions hold much the same, so each is read once."""
        rows = self._rows.get((code, "type"), ())
        for row in rows:
            if row not in self._read_types:
                body = _body(row)
                self._read_types[row] = (body["vct"], b64_decode(body["octets"]))
        return dict(self._read_types[row] for row in rows)

    def _all_status(self, code: str) -> dict[tuple[str, str], StatusList | str]:
        with _connected(self.path, read_only=True) as db:
            rows = db.execute(
                "select uri, refusal, bits, data, issued_at, expires_at, ttl, sha256 from status "
                "where jurisdiction = ?",
                (code,),
            ).fetchall()
        return {(code, row[0]): _status_of(row[0], row[1:]) for row in rows}

    def _bodies(self, code: str, kind: str) -> list[dict[str, Any]]:
        return [_body(row) for row in self._rows.get((code, kind), ())]


def _body(row: bytes) -> dict[str, Any]:
    body: dict[str, Any] = parse_json(row, max_bytes=_MAX_ROW_BYTES, max_members=_MAX_ROW_MEMBERS)
    return body


def _by_kind(rows: Iterable[tuple[str, str, bytes]]) -> dict[tuple[str, str], list[bytes]]:
    found: dict[tuple[str, str], list[bytes]] = {}
    for code, kind, body in rows:
        found.setdefault((code, kind), []).append(body)
    return found


def _ratchet(body: dict[str, Any]) -> Ratchet:
    negatives, stolen = frozenset(body.pop("negatives")), frozenset(body.pop("stolen"))
    return Ratchet(**body, negatives=negatives, stolen=stolen)


def _status_of(uri: str, row: Sequence[Any]) -> StatusList | str:
    refusal, bits, data, issued_at, expires_at, ttl, digest = row
    if refusal is not None:
        return str(refusal)
    if hashlib.sha256(data).hexdigest() != digest:
        return "STATUS_MALFORMED"
    return StatusList(
        uri=uri, bits=bits, data=data, issued_at=issued_at, expires_at=expires_at, ttl=ttl
    )


def _record(kind: Callable[..., Record], body: Mapping[str, Any]) -> Record:
    return kind(**body)


def _with_events(kind: Callable[..., Record], body: dict[str, Any]) -> Record:
    for name in _EVENTS & body.keys():
        body[name] = [Event(**event) for event in body[name]]
    return kind(**body)
