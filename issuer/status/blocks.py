"""Status indices in store: where they run low, the registry is asked for another block.

The signed request is kept until its answer is on record, so that a crash in between asks again
under the same number and gets the same block: none is ever lost, and none taken in twice.
"""

import os
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Connection, delete

from issuer.audit.trail import note
from issuer.custody.service import keep_block
from issuer.database import profile, reading, transaction
from issuer.issuance.repository import room
from issuer.office import Office, find_fact, set_profile, standing_in
from issuer.status.outbox import post_signed, registry_url
from schemas.registry import MAX_BLOCK, STATUS_BLOCK_REQUEST_TYP, StatusBlock, StatusBlockRequest
from talentseal.commandline import setting
from talentseal.encoding import (
    CLOCK_SKEW_SECONDS,
    b64url_encode,
    dump_json,
    parse_json,
    to_seconds,
)
from talentseal.errors import InputError, UnavailableError, UsageError
from talentseal.fetch import fetcher_from_settings
from talentseal.jose import parse_jws, sign_jws

STORE = "TALENTSEAL_STATUS_STORE"
DEFAULT_STORE = 1000
ASKED = "block_request"  # a fact of this issuer while a request is open
_GOOD_SECONDS = 20 * 3600  # the registry takes a request for a day
_JTI_BYTES = 16


def store_size() -> int:
    """How many indices are kept in store. Raises UsageError."""
    text = setting(STORE) or str(DEFAULT_STORE)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MAX_BLOCK):
        raise UsageError(f"{STORE} is a number from 1 to {MAX_BLOCK}")
    return int(text)


def top_up(office: Office, *, now: datetime, least: int | None = None) -> int:
    """Ask for blocks until `least` indices are left; how many there are then.

    Where the registry has no address nothing is asked: blocks come by file. Raises
    UnavailableError, UsageError.
    """
    url, wanted = registry_url(), store_size() if least is None else least
    left = _left(office)
    while url is not None and left < wanted:
        _ask(office, url, min(MAX_BLOCK, max(wanted - left, store_size())), now=now)
        before, left = left, _left(office)
        if left <= before:
            raise UnavailableError("the registry's block brought no new indices")
    return left


def _left(office: Office) -> int:
    with reading(office.engine) as db:
        return room(db)


def _ask(office: Office, url: str, count: int, *, now: datetime) -> None:
    office.check_key()
    with transaction(office.engine) as db:
        request = _open_request(db, now) or _new_request(db, office, count, now=now)
    with fetcher_from_settings() as fetcher:
        document = post_signed(fetcher, f"{url}/v1/status/blocks", request)
    try:
        block = StatusBlock.model_validate(document)
    except ValidationError as error:
        raise UnavailableError("the registry's answer is no block of indices") from error
    with transaction(office.engine) as db:
        if keep_block(db, block, is_new=True):
            note(db, "block-taken-in", at=to_seconds(now), count=len(block.indices))
        db.execute(delete(profile).where(profile.c.name == ASKED))


def _open_request(db: Connection, now: datetime) -> str | None:
    """A request whose answer never came, while it is still good.

    The registry takes none from a time to come: one that was made while this clock was ahead is
    given up for another.
    """
    kept = find_fact(db, ASKED)
    if kept is None:
        return None
    try:
        asked_at = parse_json(parse_jws(kept).payload)["iat"]
    except (InputError, KeyError) as error:
        raise UnavailableError("a request that was kept cannot be read any more") from error
    return kept if -CLOCK_SKEW_SECONDS <= to_seconds(now) - asked_at < _GOOD_SECONDS else None


def _new_request(
    db: Connection,
    office: Office,
    count: int,
    *,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> str:
    standing, jti = standing_in(db), b64url_encode(random(_JTI_BYTES))
    signer = office.signer(standing.keys[0][0])
    request = StatusBlockRequest(iss=standing.iss, iat=to_seconds(now), jti=jti, count=count)
    header = {"typ": STATUS_BLOCK_REQUEST_TYP, "kid": signer.public.kid}
    text = sign_jws(dump_json(request.model_dump()), header, signer)
    set_profile(db, {ASKED: text})
    return text
