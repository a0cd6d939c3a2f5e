"""Keys and enrolment: a key asks to be listed, and the registry's answer is taken in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import insert, select, update

from issuer.database import key, status_block, transaction
from issuer.office import ROLE, Office, note, set_profile
from schemas.registry import ENROLMENT_REQUEST_TYP, Enrolment, EnrolmentRequest
from talentseal.artefacts import file_code
from talentseal.commandline import key_passphrase, keys_folder, make_dev_passphrase
from talentseal.encoding import dump_json, parse_json, to_seconds
from talentseal.errors import InputError, RefusedError
from talentseal.files import read_bounded
from talentseal.jose import sign_jws
from talentseal.keystore import Keystore
from talentseal.sync import Change, Pin, open_source, synchronise

MAX_ENROLMENT_BYTES = 1024 * 1024


def new_key(
    office: Office, *, entity_id: str, names: Mapping[str, str], alg: str, dev: bool, now: datetime
) -> str:
    """Make a key and return the signed request to list it."""
    passphrase = make_dev_passphrase(ROLE) if dev else key_passphrase(ROLE)
    folder = keys_folder(ROLE)
    exists = (folder / "keystore.json").exists()
    store = (
        Keystore.open(folder, passphrase)
        if exists
        else Keystore.create(folder, passphrase, dev=dev)
    )
    signer = store.new(alg, now=now)
    at = to_seconds(now)
    request = EnrolmentRequest(iss=entity_id, iat=at, jwk=signer.public.jwk, names=dict(names))
    with transaction(office.engine) as db:
        db.execute(insert(key).values(kid=signer.public.kid, created_at=at))
        set_profile(db, {"entity_id": entity_id})
        note(db, "key-made", at=at)
    header = {"typ": ENROLMENT_REQUEST_TYP, "kid": signer.public.kid}
    return sign_jws(dump_json(request.model_dump()), header, signer)


def keys(office: Office) -> list[dict[str, object]]:
    with transaction(office.engine) as db:
        rows = db.execute(select(key).order_by(key.c.created_at)).all()
    return [{"kid": r.kid, "created_at": r.created_at, "enrolled": r.x5c is not None} for r in rows]


def enrol(office: Office, path: Path, *, source: str, now: datetime) -> Sequence[Change]:
    """Take in the registry's answer and bring the trust data it pins. Raises RefusedError."""
    document = parse_json(read_bounded(path, MAX_ENROLMENT_BYTES), max_bytes=MAX_ENROLMENT_BYTES,
                          max_members=200_000)  # fmt: skip
    try:
        answer = Enrolment.model_validate(document)
    except ValidationError as error:
        raise InputError("not an enrolment answer", code="REQUEST_INVALID") from error
    if answer.entity_id != office.profile("entity_id"):
        raise RefusedError("this answer is for another issuer", code="REQUEST_INVALID")
    pin = _pin(answer, source)
    changes = _bring(office, pin, source, now)
    with transaction(office.engine) as db:
        for kid, chain in answer.x5c.items():
            db.execute(update(key).where(key.c.kid == kid).values(x5c=dump_json(chain).decode()))
        for block in answer.blocks:
            if db.execute(select(status_block).where(status_block.c.block == block.block)).first():
                continue
            indices = dump_json(block.indices).decode()
            db.execute(
                insert(status_block).values(
                    block=block.block, uri=block.uri, indices=indices, size=len(block.indices),
                    used=0,
                )
            )  # fmt: skip
        set_profile(db, {"jurisdiction": answer.jurisdiction, "root": pin.root.decode()})
        note(db, "enrolled", at=to_seconds(now))
    return changes


def bring_trust(office: Office, *, source: str, now: datetime) -> Sequence[Change]:
    return _bring(office, Pin(office.profile("root").encode()), source, now)


def _bring(office: Office, pin: Pin, source: str, now: datetime) -> Sequence[Change]:
    with open_source(source) as files:
        return synchronise(office.trust, files, pin, now=now)


def _pin(answer: Enrolment, source: str) -> Pin:
    """The root that the answer names by its fingerprint, wherever the source has it from."""
    with open_source(source) as files:
        name = f"{file_code(answer.jurisdiction)}/metadata/1.root.json"
        root = b"".join(files.read(name))
    if sha256(root).hexdigest() != answer.root_s256:
        raise RefusedError(
            "the root of this source is not the one that the answer names", code="WRONG_NETWORK"
        )
    return Pin(root)
