"""The store of compiled trust data: one SQLite file per accepted set, read-only once written.

A set is a folder `set-<n>` below the trust home; the file `current` names the one in force and is
replaced atomically, so a crash at any moment leaves the old set or the new one. Opening checks the
set against its own digest and reads small rows at once, status lists only when a check asks for
them. Nothing here verifies signatures: that was done on entry, by `compiling` and `sync`.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from talentseal.artefacts import PeerInfo
from talentseal.bundle import (
    Bundle,
    Event,
    IssuerKey,
    Jurisdiction,
    RecognitionRight,
    Right,
    Tables,
)
from talentseal.compiling import Part, combine
from talentseal.encoding import b64_decode, b64_encode, dump_json, parse_json
from talentseal.errors import InputError, UnavailableError
from talentseal.status import StatusList

SCHEMA_VERSION = 1
CURRENT = "current"
_MAX_ROW_BYTES = 16 * 1024 * 1024
_SCHEMA = """
create table meta (name text primary key, value text not null);
create table row (jurisdiction text not null, kind text not null, body blob not null);
create index row_by on row (jurisdiction, kind);
create table status (
    jurisdiction text not null, uri text not null, refusal text, bits integer, issued_at integer,
    expires_at integer, ttl integer, sha256 text, data blob, primary key (jurisdiction, uri)
) without rowid;
"""
Record = TypeVar("Record")


def current_set(home: Path) -> Path | None:
    """The folder of the set in force, if there is one."""
    try:
        name = (home / CURRENT).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"{home / CURRENT} cannot be read") from error
    folder = home / name
    return folder if name.startswith("set-") and folder.is_dir() else None


def open_bundle(home: Path) -> Bundle:
    """The bundle of the set in force; one without data, or with a fault, where there is none.

    home  the trust folder of a verifier, an issuer or a wallet
    """
    folder = current_set(home)
    if folder is None:
        return Bundle(_empty(None))
    try:
        store = TrustStore(folder / "trust.db")
        return Bundle(store.tables(), status_bits=store.status)
    except (sqlite3.Error, InputError, KeyError, TypeError):
        return Bundle(_empty("TRUST_DATA_CORRUPT"))


def _empty(fault: str | None) -> Tables:
    return Tables("", {}, (), (), (), {}, {}, {}, fault=fault)


# --- writing --------------------------------------------------------------------------------------


def write_store(
    path: Path,
    *,
    home: str,
    parts: Sequence[Part],
    peers: Sequence[PeerInfo],
    clock_mark: int,
    refused: Mapping[str, str],
) -> None:
    """Write a new store; it must not exist yet."""
    with _connected(path) as db:
        db.executescript(_SCHEMA)
        for part in parts:
            _write_part(db, part)
        for peer in peers:
            _write_row(db, home, "peer", asdict(peer))
        meta = {
            "schema": str(SCHEMA_VERSION),
            "home": home,
            "clock_mark": str(clock_mark),
            "refused": dump_json(dict(refused)).decode(),
            "digest": _digest(db),
        }
        db.executemany("insert into meta values (?, ?)", meta.items())
        db.commit()


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
    _write_row(db, code, "jurisdiction", asdict(part.jurisdiction))
    ratchet = {"negatives": sorted(part.negatives), "list_sequence": part.list_sequence}
    _write_row(db, code, "ratchet", ratchet)
    for kind, records in (
        ("key", part.keys),
        ("right", part.rights),
        ("recognition", part.recognitions),
    ):
        for record in records:
            _write_row(db, code, kind, asdict(record))
    for vct, octets in part.types.items():
        _write_row(db, code, "type", {"vct": vct, "octets": b64_encode(octets)})
    for (jurisdiction, uri), held in part.status.items():
        _write_status(db, jurisdiction, uri, held)


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


class TrustStore:
    """One written set. Raises sqlite3.Error or InputError where the file is not what it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _connected(path, read_only=True) as db:
            self.meta = dict(db.execute("select name, value from meta"))
            if self.meta["schema"] != str(SCHEMA_VERSION) or self.meta["digest"] != _digest(db):
                raise InputError("the stored trust data was altered", code="TRUST_DATA_CORRUPT")
            self._rows = list(db.execute("select jurisdiction, kind, body from row order by rowid"))

    def parts(self, *, with_status: bool = False) -> list[Part]:
        codes = dict.fromkeys(code for code, kind, _ in self._rows if kind == "jurisdiction")
        return [self._part(code, with_status=with_status) for code in codes]

    def peers(self) -> list[PeerInfo]:
        return [_record(PeerInfo, body) for body in self._bodies(self.meta["home"], "peer")]

    def tables(self) -> Tables:
        """Everything but the status lists, which `status` brings one by one."""
        refused = parse_json(self.meta["refused"].encode())
        mark = int(self.meta["clock_mark"])
        return combine(
            self.meta["home"], self.parts(), self.peers(), clock_mark=mark, refused=refused
        )

    def status(self, jurisdiction: str, uri: str) -> StatusList | str | None:
        """One status list, its refusal, or None; an altered one is `STATUS_MALFORMED`."""
        with _connected(self.path, read_only=True) as db:
            row = db.execute(
                "select refusal, bits, data, issued_at, expires_at, ttl, sha256 from status "
                "where jurisdiction = ? and uri = ?",
                (jurisdiction, uri),
            ).fetchone()
        return None if row is None else _status_of(uri, row)

    def _part(self, code: str, *, with_status: bool) -> Part:
        ratchet = self._bodies(code, "ratchet")[0]
        types = {body["vct"]: b64_decode(body["octets"]) for body in self._bodies(code, "type")}
        return Part(
            _record(Jurisdiction, self._bodies(code, "jurisdiction")[0]),
            [_record(IssuerKey, body) for body in self._bodies(code, "key")],
            [_with_events(Right, body) for body in self._bodies(code, "right")],
            [_with_events(RecognitionRight, body) for body in self._bodies(code, "recognition")],
            types,
            self._all_status(code) if with_status else {},
            frozenset(ratchet["negatives"]),
            ratchet["list_sequence"],
        )

    def _all_status(self, code: str) -> dict[tuple[str, str], StatusList | str]:
        with _connected(self.path, read_only=True) as db:
            rows = db.execute(
                "select uri, refusal, bits, data, issued_at, expires_at, ttl, sha256 from status "
                "where jurisdiction = ?",
                (code,),
            ).fetchall()
        return {(code, row[0]): _status_of(row[0], row[1:]) for row in rows}

    def _bodies(self, code: str, kind: str) -> list[dict[str, Any]]:
        return [
            parse_json(body, max_bytes=_MAX_ROW_BYTES, max_members=1_000_000)
            for jurisdiction, found, body in self._rows
            if jurisdiction == code and found == kind
        ]


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
    for name in ("events", "delegation_events"):
        if name in body:
            body[name] = [Event(**event) for event in body[name]]
    return kind(**body)
