"""Enrolment: the registry's answer about a key is taken in, with the trust data it pins."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection, select, update

from issuer.audit.trail import note
from issuer.custody.making import keys
from issuer.database import key, status_block, transaction
from issuer.issuance.repository import add_block, indices_of
from issuer.office import RESTORED_AT, RESTORED_CODE, Office, fact, find_fact, set_profile
from schemas.registry import Enrolment, StatusBlock
from talentseal.artefacts import file_code
from talentseal.encoding import MAX_METADATA_BYTES, dump_json, parse_json, to_seconds
from talentseal.errors import InputError, RefusedError
from talentseal.files import read_bounded
from talentseal.sync import Change, Pin, open_source, synchronise

MAX_ENROLMENT_BYTES = 16 * 1024 * 1024  # sixteen blocks of the greatest size
MAX_ENROLMENT_MEMBERS = 1_100_000


def enrol(
    office: Office, path: Path, *, source: str, now: datetime
) -> tuple[Sequence[Change], int]:
    """Take in the registry's answer and bring the trust data it pins.

    Returns what became of the trust data, and how many blocks were left out: where the answer
    brings the chain of a new key, those that do not answer to the last restore.

    Raises RefusedError.
    """
    answer = _read_answer(path)
    if answer.entity_id != office.entity_id:
        raise RefusedError(f"this answer is for {answer.entity_id}", code="REQUEST_INVALID")
    if not {str(row["kid"]) for row in keys(office)} & answer.x5c.keys():
        raise RefusedError(
            "this answer names no key that was made here",
            code="REQUEST_INVALID",
            hint="Send the registry the request of `issuer keys new`.",
        )
    pin = _pin(answer, source)
    changes = _bring(office, pin, source, now)
    with transaction(office.engine) as db:
        left_out = _keep(db, answer)
        set_profile(db, {"jurisdiction": answer.jurisdiction, "root": pin.root.decode()})
        note(db, "enrolled", at=to_seconds(now))
    return changes, left_out


def _read_answer(path: Path) -> Enrolment:
    document = parse_json(
        read_bounded(path, MAX_ENROLMENT_BYTES),
        max_bytes=MAX_ENROLMENT_BYTES,
        max_members=MAX_ENROLMENT_MEMBERS,
    )
    try:
        return Enrolment.model_validate(document)
    except ValidationError as error:
        raise InputError("not an enrolment answer", code="REQUEST_INVALID") from error


def _keep(db: Connection, answer: Enrolment) -> int:
    """Chains of our keys, and blocks that are new; a block that is here goes on as it is.

    Returns how many blocks were left out. A registry tells every block with the chain of a new key,
    also those that a restored database has forgotten: the key must not wait for that.
    """
    wanted = select(key.c.kid).where(key.c.x5c.is_(None))
    is_new_key = not answer.x5c.keys().isdisjoint(db.execute(wanted).scalars())
    for kid, chain in answer.x5c.items():
        db.execute(update(key).where(key.c.kid == kid).values(x5c=dump_json(chain).decode()))
    left_out = 0
    for block in answer.blocks:
        if is_new_key and not _is_here(db, block) and not _is_fresh(db, block):
            left_out += 1
        else:
            keep_block(db, block)
    return left_out


def keep_block(db: Connection, block: StatusBlock, *, is_new: bool = False) -> bool:
    """Take in a block of indices; False for one that is here already.

    is_new  it was asked for just now; else it came in a file, which may be old

    Raises RefusedError `STATE_CONFLICT` for one that may be from before this database was restored,
    and for one with an index that is here already, or twice.
    """
    if _is_here(db, block):
        return False
    if not is_new and not _is_fresh(db, block):
        raise _stale(db)
    known = indices_of(db, block.uri)
    if len(set(block.indices)) < len(block.indices) or not known.isdisjoint(block.indices):
        raise RefusedError(
            "this block of status indices holds one that was given before",
            code="STATE_CONFLICT",
            hint="Nothing was taken in. Ask for another: registry issuer block",
        )
    add_block(db, block.block, block.uri, block.indices)
    return True


def _is_here(db: Connection, block: StatusBlock) -> bool:
    wanted = select(status_block.c.block).where(status_block.c.block == block.block)
    return db.execute(wanted).first() is not None


def _is_fresh(db: Connection, block: StatusBlock) -> bool:
    """Whether a block that is not here was made after the last restore of this database.

    Else it may be forgotten, and used up. No clock tells: the registry's may have been ahead. Only
    where an older version restored, so that there is no code, is the time of making all there is.
    """
    code, since = find_fact(db, RESTORED_CODE), find_fact(db, RESTORED_AT)
    if code is not None:
        return block.restored == code
    return since is None or (block.made_at is not None and block.made_at >= int(since))


def _stale(db: Connection) -> RefusedError:
    code, issuer = find_fact(db, RESTORED_CODE), fact(db, "entity_id")
    with_code = f" --restored {code}" if code else ""
    return RefusedError(
        "this block of status indices may have been made before the database was restored",
        code="STATE_CONFLICT",
        hint="Its indices may be used already. Ask for another: registry issuer block --issuer"
        f" {issuer}{with_code} --out FILE, then issuer enrol FILE",
    )


def bring_trust(office: Office, *, source: str, now: datetime) -> Sequence[Change]:
    return _bring(office, Pin(office.profile("root").encode()), source, now)


def _bring(office: Office, pin: Pin, source: str, now: datetime) -> Sequence[Change]:
    with open_source(source) as files:
        return synchronise(office.trust, files, pin, now=now)


def _pin(answer: Enrolment, source: str) -> Pin:
    """The root that the answer names by its fingerprint, wherever the source has it from."""
    root = b""
    with open_source(source) as files:
        try:
            for chunk in files.read(f"{file_code(answer.jurisdiction)}/metadata/1.root.json"):
                root += chunk
                if len(root) > MAX_METADATA_BYTES:
                    break
        except FileNotFoundError as error:
            raise RefusedError(
                f"{source} holds nothing of {answer.jurisdiction}",
                code="WRONG_NETWORK",
                hint="Name the registry's published folder, or a bundle of it, with --trust.",
            ) from error
    if sha256(root).hexdigest() != answer.root_s256:
        raise RefusedError(
            "the root of this source is not the one that the answer names", code="WRONG_NETWORK"
        )
    return Pin(root)
