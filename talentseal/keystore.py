"""Where private keys live: a Signer from a URI, and sealed boxes under a passphrase.

A keystore is a private folder. `keystore.json` says how one key-encryption key is stretched from a
passphrase (scrypt) and lets a wrong passphrase be told from a damaged file. Every other file,
`<kid>.key`, is one private key (PKCS#8) in a box of AES-256-GCM whose label - kid, algorithm, time,
development mark - is authenticated with it. Keys are made here and never leave in clear. The lock
and the boxes serve the wallet's vault as well.

Whether a key may be used is decided by trust data, not here. Keys in signing devices (`pkcs11:`)
are opened by `pkcs11`; those in services (`kms:`) are named and not yet offered.

Standards: scrypt RFC 7914, AES-GCM NIST SP 800-38D, PKCS#8 RFC 5958.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from talentseal.encoding import (
    b64url_decode,
    b64url_encode,
    canonical_json,
    dump_json,
    format_time,
    parse_json,
    to_seconds,
)
from talentseal.errors import InputError, UnavailableError, UsageError
from talentseal.files import (
    check_private_folder,
    make_private_folder,
    read_private,
    write_new,
    write_private,
)
from talentseal.keys import Signer, SoftwareSigner, new_signer
from talentseal.passphrase import MAX_PASSPHRASE_BYTES, SCRYPT_N, SCRYPT_R, derive_key

if TYPE_CHECKING:
    from talentseal.pkcs11 import DeviceSettings

Random = Callable[[int], bytes]
Stretch = Callable[[bytes, Mapping[str, Any]], bytes]

KEYSTORE_FILE = "keystore.json"
_SUFFIX = ".key"
_VERSION = 1
_KID = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_FILE_BYTES = 4096  # a sealed key takes about 500
_NONCE_BYTES = 12
_TAG_BYTES = 16

# --- boxes under a key ----------------------------------------------------------------------------


def seal_box(data: bytes, key: bytes, aad: bytes, *, random: Random = os.urandom) -> bytes:
    """AES-256-GCM: a fresh nonce of 12 bytes, then the ciphertext with its tag.

    A key seals at most 2^32 boxes (SP 800-38D §8.3); `aad` is authenticated and not stored.
    """
    nonce = random(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, aad)


def open_box(box: bytes, key: bytes, aad: bytes) -> bytes:
    """Invert `seal_box`. Raises InputError `MALFORMED` for another key, label or content."""
    if len(box) < _NONCE_BYTES + _TAG_BYTES:
        raise InputError("a sealed box is cut off", code="MALFORMED")
    try:
        return AESGCM(key).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], aad)
    except InvalidTag as error:
        raise InputError("a sealed box was altered or has another key", code="MALFORMED") from error


# --- a lock: how a passphrase becomes a key -------------------------------------------------------


def make_lock(
    passphrase: bytes, label: Mapping[str, Any], *, n: int = SCRYPT_N, random: Random = os.urandom
) -> tuple[dict[str, Any], bytes]:
    """A document that lets `open_lock` find the returned key again, and vouches for `label`."""
    if not 0 < len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise UsageError(f"a passphrase has 1 to {MAX_PASSPHRASE_BYTES} bytes")
    kdf = {"name": "scrypt", "n": n, "r": SCRYPT_R, "p": 1, "salt": b64url_encode(random(16))}
    head = {"version": _VERSION, **label, "kdf": kdf}
    key = derive_key(passphrase, kdf)
    lock = {**head, "check": b64url_encode(seal_box(b"", key, canonical_json(head), random=random))}
    return {**lock, "digest": _digest(lock)}, key


def open_lock(
    lock: Mapping[str, Any], passphrase: bytes, *, stretch: Stretch = derive_key
) -> bytes:
    """The key of a lock. Raises InputError `MALFORMED` for a damaged lock, and
    UnavailableError for a wrong passphrase.

    stretch  `derive_key`, or one that may have begun earlier
    """
    body = {name: value for name, value in lock.items() if name != "digest"}
    # Guards against accidents only: whoever alters the lock on purpose meets the check below.
    if lock.get("digest") != _digest(body) or not isinstance(body.get("kdf"), dict):
        raise InputError("the lock is damaged", code="MALFORMED")
    if body.get("version") != _VERSION:
        raise UnavailableError("the lock was made by another version of this program")
    check = _bytes(body.pop("check", None))
    key = stretch(passphrase, body["kdf"])
    try:
        open_box(check, key, canonical_json(body))
    except InputError as error:
        raise UnavailableError(
            "wrong passphrase", hint="Try again; without the passphrase nothing can be opened."
        ) from error
    return key


def _digest(lock: Mapping[str, Any]) -> str:
    return b64url_encode(hashlib.sha256(canonical_json(lock)).digest())


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise InputError("a member is missing", code="MALFORMED")
    return b64url_decode(text)


# --- the folder -----------------------------------------------------------------------------------


class KeyLabel(NamedTuple):
    """What a key file says in clear; believed only once the key itself has been opened."""

    kid: str
    alg: str
    dev: bool
    created: str  # RFC 3339, UTC


class Keystore:
    """A folder of private keys, open. `dev` marks keys that no production verifier may meet."""

    def __init__(self, folder: Path, key: bytes, *, dev: bool) -> None:
        self.folder = folder
        self.dev = dev
        self._key = key

    @classmethod
    def create(
        cls,
        folder: Path,
        passphrase: bytes,
        *,
        dev: bool,
        n: int = SCRYPT_N,
        random: Random = os.urandom,
    ) -> "Keystore":
        """Make an empty keystore; one that exists is never replaced.

        Raises UsageError or UnavailableError.
        """
        lock, key = make_lock(passphrase, {"dev": dev}, n=n, random=random)
        make_private_folder(folder)
        write_new(folder / KEYSTORE_FILE, dump_json(lock))
        return cls(folder, key, dev=dev)

    @classmethod
    def open(cls, folder: Path, passphrase: bytes) -> "Keystore":
        """Open a keystore. Raises UnavailableError: absent, damaged, loose, wrong passphrase."""
        check_private_folder(folder)
        path = folder / KEYSTORE_FILE
        try:
            lock = parse_json(read_private(path, _MAX_FILE_BYTES))
            key = open_lock(lock, passphrase)
        except InputError as error:
            _damaged(path, error)
        return cls(folder, key, dev=lock.get("dev") is not False)

    def new(
        self, alg: str = "ES256", *, now: datetime, random: Random = os.urandom
    ) -> SoftwareSigner:
        """Make a key; it is on the disk when this returns. UnavailableError, InputError."""
        signer = new_signer(alg)
        self.store(signer, now=now, random=random)
        return signer

    def store(self, signer: SoftwareSigner, *, now: datetime, random: Random = os.urandom) -> None:
        """Keep a key that was made elsewhere, such as a fixed key of a test network."""
        public, created = signer.public, format_time(to_seconds(now))
        label = KeyLabel(public.kid, public.alg, self.dev, created)._asdict()
        secret = pkcs8_of(signer)
        box = seal_box(secret, self._key, canonical_json(label), random=random)
        nonce, sealed = b64url_encode(box[:_NONCE_BYTES]), b64url_encode(box[_NONCE_BYTES:])
        write_private(self._path(public.kid), dump_json(label | {"nonce": nonce, "sealed": sealed}))

    def load(self, kid: str) -> SoftwareSigner:
        """The signer with this key identifier. Raises UsageError or UnavailableError."""
        path = self._path(kid)
        try:
            label, box = _read_key_file(path)
            secret = open_box(box, self._key, canonical_json(label._asdict()))
            signer = _signer(secret)
        except InputError as error:
            _damaged(path, error)
        if label.kid != kid or signer.public.kid != kid or label.dev != self.dev:
            raise UnavailableError(f"{path} holds another key than its name says")
        return signer

    def label(self, kid: str) -> KeyLabel:
        """What the file of a key says in clear. Raises UsageError or UnavailableError."""
        path = self._path(kid)
        try:
            return _read_key_file(path)[0]
        except InputError as error:
            _damaged(path, error)

    def kids(self) -> list[str]:
        """The identifiers of all keys kept here, sorted. Raises UnavailableError."""
        check_private_folder(self.folder)
        names = (path.name.removesuffix(_SUFFIX) for path in self.folder.glob(f"*{_SUFFIX}"))
        return sorted(name for name in names if _KID.fullmatch(name))

    def _path(self, kid: str) -> Path:
        if not _KID.fullmatch(kid):
            raise UsageError("not a key identifier", hint="It has 43 letters, digits, - or _.")
        return self.folder / f"{kid}{_SUFFIX}"

    def __repr__(self) -> str:
        return f"Keystore({str(self.folder)!r}, dev={self.dev})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open keystore is never pickled")


def _read_key_file(path: Path) -> tuple[KeyLabel, bytes]:
    content = parse_json(read_private(path, _MAX_FILE_BYTES))
    if content.keys() != {*KeyLabel._fields, "nonce", "sealed"}:
        raise InputError("a key file with other members", code="MALFORMED")
    box = _bytes(content.pop("nonce")) + _bytes(content.pop("sealed"))
    label = KeyLabel(**content)
    if [type(value) for value in label] != [str, str, bool, str]:
        raise InputError("a key file with members of another kind", code="MALFORMED")
    return label, box


def pkcs8_of(signer: SoftwareSigner) -> bytes:
    """The private key in clear (PKCS#8, DER), on its way into a box."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return signer.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _signer(secret: bytes) -> SoftwareSigner:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(secret, None)
    except ValueError as error:
        raise InputError("not a private key", code="MALFORMED") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise InputError("a key of a kind not allowed here", code="ALG_NOT_ALLOWED")
    return SoftwareSigner(key)


def _damaged(path: Path, error: InputError) -> NoReturn:
    raise UnavailableError(
        f"{path} is damaged: truncated or altered",
        hint="Restore it from a backup; the passphrase is not the cause.",
    ) from error


# --- URIs -----------------------------------------------------------------------------------------

_HINT = "Use file:<keystore>/<kid>.key, or 'pkcs11:token=...;object=...'."


def open_signer(
    uri: str, *, passphrase: Callable[[], bytes], device: "DeviceSettings | None" = None
) -> Signer:
    """The signer of a `file:` or `pkcs11:` URI. Raises UsageError or UnavailableError."""
    return open_signers([uri], passphrase=passphrase, device=device)[0]


def open_signers(
    uris: Iterable[str],
    *,
    passphrase: Callable[[], bytes],
    device: "DeviceSettings | None" = None,
) -> list[Signer]:
    """One signer per URI, in order; one passphrase, asked once, each keystore opened once.

    passphrase  asked only where a URI leads to a keystore
    device      what the URIs of signing devices leave open

    Raises UsageError or UnavailableError.
    """
    from talentseal.pkcs11 import DeviceSettings, open_device_signer
    from talentseal.pkcs11_uri import is_device_uri

    devices = device or DeviceSettings()
    wanted = [(uri, None if is_device_uri(uri) else _key_place(uri)) for uri in uris]
    folders = {place[0] for _, place in wanted if place is not None}
    secret = passphrase() if folders else b""
    stores = {folder: Keystore.open(folder, secret) for folder in folders}
    return [
        open_device_signer(uri, devices) if place is None else stores[place[0]].load(place[1])
        for uri, place in wanted
    ]


def _key_place(uri: str) -> tuple[Path, str]:
    """Folder and kid of a `file:` URI."""
    scheme, _, rest = uri.partition(":")
    if scheme == "kms":
        raise UnavailableError(
            "keys in a key management service (kms:) are not part of this version",
            code="NOT_OFFERED",
            hint=_HINT,
        )
    path = Path(rest)
    if scheme != "file" or path.suffix != _SUFFIX or not _KID.fullmatch(path.stem):
        raise UsageError("not the URI of a key", hint=_HINT)
    return path.parent, path.stem
