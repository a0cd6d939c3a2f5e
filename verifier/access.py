"""Who this verifier is to wallets: a key and a certificate for its host.

The certificate comes from a jurisdiction's authority, which answers a signed request of
`verifier keys new`. Request objects are signed with the key, so that a wallet can show a proven
host instead of a name that anybody may write. A verifier without one can ask by `redirect_uri:`
only, which proves nothing but where the answer goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from schemas.registry import ENROLMENT_REQUEST_TYP, EnrolmentRequest, VerifierEnrolment
from talentseal.commandline import key_passphrase, keys_folder, make_dev_passphrase
from talentseal.encoding import b64_decode, dump_json, parse_json, to_seconds
from talentseal.errors import InputError, RefusedError, UsageError
from talentseal.files import read_bounded, write_atomic
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner
from talentseal.keystore import KEYSTORE_FILE, Keystore
from talentseal.x509 import load_certificate, read_leaf

ROLE = "verifier"
FILE = "access.json"
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True)
class Access:
    """A key with its certificate.

    host  that the certificate proves
    x5c   leaf first, anchor left out, standard base64
    """

    host: str
    signer: SoftwareSigner
    x5c: tuple[str, ...]

    @property
    def leaf(self) -> bytes:
        return b64_decode(self.x5c[0])


def new_key(host: str, names: Mapping[str, str], *, dev: bool, now: datetime) -> str:
    """Make a key; the signed request for its certificate. Raises UsageError."""
    if "/" in host or "." not in host or not names.get("en"):
        raise UsageError("a host and a name in English are wanted")
    folder = keys_folder(ROLE)
    passphrase = make_dev_passphrase(ROLE) if dev else key_passphrase(ROLE)
    if (folder / KEYSTORE_FILE).exists():
        keystore = Keystore.open(folder, passphrase)
    else:
        keystore = Keystore.create(folder, passphrase, dev=dev)
    signer = keystore.new("ES256", now=now)
    request = EnrolmentRequest(
        iss=f"https://{host}", iat=to_seconds(now), jwk=signer.public.jwk, names=dict(names)
    )
    header = {"typ": ENROLMENT_REQUEST_TYP, "kid": signer.public.kid}
    return sign_jws(dump_json(request.model_dump()), header, signer)


def take_answer(home: Path, path: Path) -> str:
    """Keep the registry's answer; the host. Raises InputError, RefusedError."""
    answer = _read(path)
    keystore = Keystore.open(keys_folder(ROLE), key_passphrase(ROLE))
    leaf = read_leaf(load_certificate(b64_decode(answer.x5c[0])))
    if leaf.public is None or leaf.public.kid not in keystore.kids():
        raise RefusedError(
            "this certificate is for no key that was made here",
            code="REQUEST_INVALID",
            hint="Send the registry the request of `verifier keys new`.",
        )
    if answer.host not in leaf.hosts:
        raise RefusedError("this certificate is for another host", code="REQUEST_INVALID")
    write_atomic(home / FILE, dump_json(answer.model_dump()))
    return answer.host


def _read(path: Path) -> VerifierEnrolment:
    document = parse_json(read_bounded(path, MAX_ANSWER_BYTES), max_bytes=MAX_ANSWER_BYTES)
    try:
        return VerifierEnrolment.model_validate(document)
    except ValidationError as error:
        raise InputError("not an answer to a verifier", code="REQUEST_INVALID") from error


def load_access(home: Path) -> Access | None:
    """The key and certificate of this verifier, if it has them. Raises UsageError."""
    if not (home / FILE).exists():
        return None
    answer = _read(home / FILE)
    keystore = Keystore.open(keys_folder(ROLE), key_passphrase(ROLE))
    leaf = read_leaf(load_certificate(b64_decode(answer.x5c[0])))
    if leaf.public is None:
        raise InputError("the certificate of this verifier is damaged", code="MALFORMED")
    return Access(answer.host, keystore.load(leaf.public.kid), tuple(answer.x5c))
