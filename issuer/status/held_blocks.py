"""Our blocks of status indices, shown to a registry that was restored and may have forgotten some.

Its copy knows nothing of a block that was handed out later, and it refuses every order for what was
sealed from that. The identifier of a block proves that it is ours, so the registry takes it back.
Every block is shown, since nobody here knows which are missing; those that are known do no harm.
"""

import os
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, func, select

from issuer.database import reading, status_block
from issuer.office import Office, Standing
from issuer.status.outbox import leave, make_folder, post_held, put_aside, registry_url
from schemas.registry import HELD_BLOCK_ENDING, HELD_BLOCK_TYP, HeldBlock
from talentseal.encoding import b64url_encode, dump_json, to_seconds
from talentseal.errors import RefusedError
from talentseal.fetch import fetcher_from_settings
from talentseal.jose import sign_jws

_ENDING = HELD_BLOCK_ENDING.removesuffix(".jws")
_JTI_BYTES = 16
_NOBODYS = "before-"  # blocks that migration 0007 made: no registry knows them
_INDEX = struct.Struct(">I")  # as blocks are packed: issuer/issuance/repository.py


@dataclass(frozen=True, slots=True)
class RefusedBlock:
    """A block that the registry did not take back, and the code by which it says so."""

    block: str
    uri: str
    code: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of our blocks.

    left  how many lie in the exchange folder, where the registry finds them before our orders
    """

    taken_back: int
    known: int
    left: int
    refused: Sequence[RefusedBlock]


def show_blocks(office: Office, *, now: datetime) -> Shown:
    """Show the registry every block that it gave to this issuer. Twice does no harm.

    Raises UsageError, UnavailableError; what was shown before that stays taken back.
    """
    blocks = _blocks(office)
    if not blocks:
        return Shown(0, 0, 0, ())
    office.check_key()
    standing, url = office.standing(), registry_url()
    signed = ((one, _signed(office, standing, one, now=now)) for one in blocks)
    if url is not None:
        return _post_all(url, signed)
    make_folder(office)
    for one, jws in signed:
        leave(office, f"{one.block}{_ENDING}", jws)
    return Shown(0, 0, len(blocks), ())


def put_aside_blocks(office: Office) -> list[str]:
    """The codes by which the registry has put aside blocks of ours in the shared folder."""
    return put_aside(office, status_block.c.block, _ENDING)


def _post_all(url: str, signed: Iterable[tuple[Any, str]]) -> Shown:
    taken_back, known, refused = 0, 0, list[RefusedBlock]()
    with fetcher_from_settings(keep=True) as calls:
        for one, jws in signed:
            try:
                was_forgotten = post_held(calls, url, jws)
            except RefusedError as error:
                refused.append(RefusedBlock(one.block, one.uri, error.code))
            else:
                taken_back, known = taken_back + was_forgotten, known + (not was_forgotten)
    return Shown(taken_back, known, 0, refused)


def _blocks(office: Office) -> Sequence[Any]:
    """Identifier, list, size and first index of every block, in the order in which they came."""
    column = status_block.c
    first = func.substr(column.packed, 1, _INDEX.size, type_=LargeBinary).label("first")
    wanted = select(column.block, column.uri, column.size, first).where(
        column.size > 0, ~column.block.startswith(_NOBODYS)
    )
    with reading(office.engine) as db:
        return db.execute(wanted.order_by(column.number)).all()


def _signed(
    office: Office,
    standing: Standing,
    one: Any,
    *,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> str:
    signer = office.signer(standing.keys[0][0])
    (first,) = _INDEX.unpack(one.first)
    held = HeldBlock(
        iss=standing.iss, iat=to_seconds(now), jti=b64url_encode(random(_JTI_BYTES)),
        block=one.block, uri=one.uri, first=first, count=one.size,
    )  # fmt: skip
    header = {"typ": HELD_BLOCK_TYP, "kid": signer.public.kid}
    return sign_jws(dump_json(held.model_dump()), header, signer)
