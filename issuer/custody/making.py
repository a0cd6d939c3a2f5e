"""Making keys: in the keystore of this home, or inside a signing device that never gives them away.

Every key comes with a request, signed by the key itself, that asks the registry to list it. A key
is made beside those that are there: until the registry has listed it and granted it rights, sealing
goes on with the older ones, and afterwards they stay good for what they have sealed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from issuer.audit.trail import note
from issuer.database import key, reading, transaction
from issuer.office import ROLE, Office, set_profile
from schemas.registry import ENROLMENT_REQUEST_TYP, EnrolmentRequest
from talentseal.commandline import (
    device_settings,
    key_passphrase,
    keys_folder,
    make_dev_passphrase,
)
from talentseal.encoding import dump_json, parse_json, to_seconds
from talentseal.errors import UsageError
from talentseal.jose import sign_jws
from talentseal.keys import Signer
from talentseal.keystore import KEYSTORE_FILE, Keystore
from talentseal.pkcs11 import make_device_key
from talentseal.pkcs11_uri import parse_uri
from talentseal.statements import is_entity_id


def new_key(
    office: Office,
    *,
    entity_id: str,
    names: Mapping[str, str],
    alg: str,
    dev: bool,
    now: datetime,
    uri: str | None = None,
) -> str:
    """Make a key and return the signed request to list it.

    uri  `pkcs11:` for a key in a signing device; None: the keystore of this home

    Raises UsageError, InputError, UnavailableError.
    """
    _check_body(office, entity_id, names)
    if uri is not None and dev:
        raise UsageError("a key in a signing device is no development key", hint="Drop --dev.")
    return _made(office, entity_id, names, alg=alg, dev=dev, now=now, uri=uri)


def rotate_key(
    office: Office,
    *,
    now: datetime,
    names: Mapping[str, str] | None = None,
    uri: str | None = None,
) -> str:
    """Make a key of the same kind beside the newest one; returns the signed request to list it.

    names  of the body; None: those of the last request
    uri    another place for it; None: the same keystore, or the same label in the same device

    Raises UsageError, UnavailableError.
    """
    entity_id, newest = office.entity_id, _newest(office)
    told = names or _known_names(office)
    _check_body(office, entity_id, told)
    alg = office.signer(newest.kid).public.alg
    place = uri or (newest.uri and str(parse_uri(newest.uri)._replace(id=None)))
    return _made(office, entity_id, told, alg=alg, dev=False, now=now, uri=place)


def keys(office: Office) -> list[dict[str, object]]:
    """Every key in the order of making; `uri` is null for those in the keystore."""
    with reading(office.engine) as db:
        rows = db.execute(select(key).order_by(key.c.created_at, key.c.kid)).all()
    return [
        {"kid": r.kid, "created_at": r.created_at, "enrolled": r.x5c is not None, "uri": r.uri}
        for r in rows
    ]


def _made(
    office: Office,
    entity_id: str,
    names: Mapping[str, str],
    *,
    alg: str,
    dev: bool,
    now: datetime,
    uri: str | None,
) -> str:
    signer: Signer
    if uri is None:
        signer, place = _keystore(dev=dev).new(alg, now=now), None
    else:
        signer, place = make_device_key(uri, device_settings(), alg=alg)
    at, kid = to_seconds(now), signer.public.kid
    request = EnrolmentRequest(iss=entity_id, iat=at, jwk=signer.public.jwk, names=dict(names))
    text = sign_jws(
        dump_json(request.model_dump()), {"typ": ENROLMENT_REQUEST_TYP, "kid": kid}, signer
    )
    with transaction(office.engine) as db:
        db.execute(insert(key).values(kid=kid, created_at=_turn(db, at), uri=place))
        set_profile(db, {"entity_id": entity_id, "names": dump_json(names).decode()})
        note(db, "key-made", at=at)
    return text


def _turn(db: Connection, at: int) -> int:
    """When a key is said to be made: after every other, so that the newest one is known."""
    last: int | None = db.execute(select(func.max(key.c.created_at))).scalar()
    return at if last is None else max(at, last + 1)


def _newest(office: Office) -> Row[Any]:
    with reading(office.engine) as db:
        found = db.execute(select(key).order_by(key.c.created_at.desc(), key.c.kid)).first()
    if found is None:
        raise UsageError("no key has been made yet", hint="Run: issuer keys new")
    return found


def _known_names(office: Office) -> Mapping[str, str]:
    stored = office.find_profile("names")
    return parse_json(stored.encode()) if stored else {}


def _check_body(office: Office, entity_id: str, names: Mapping[str, str]) -> None:
    if not is_entity_id(entity_id):
        raise UsageError("the entity id is an https URL", hint="Such as https://titles.sz.example")
    known = office.find_profile("entity_id")
    if known not in (None, entity_id):
        raise UsageError(f"this issuer is {known}", hint="Another body needs a home of its own.")
    if not names.get("en") or not all(names.values()):
        raise UsageError("a name in English is needed", hint='Such as --name en="Title Bureau"')


def _keystore(*, dev: bool) -> Keystore:
    """The keystore of this home, made when the first key is. Raises UsageError."""
    passphrase = make_dev_passphrase(ROLE) if dev else key_passphrase(ROLE)
    folder = keys_folder(ROLE)
    if (folder / KEYSTORE_FILE).exists():
        return Keystore.open(folder, passphrase)
    return Keystore.create(folder, passphrase, dev=dev)
