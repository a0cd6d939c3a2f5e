"""The vault: one encrypted file with a person's keys, certificates and history.

`vault.json` is a lock (scrypt, see `keystore`) and one box of AES-256-GCM that holds everything
else; the lock is authenticated with the box, so that neither can be exchanged alone. A wrong
passphrase is told from a damaged file. Every change rewrites the file whole, under a file lock:
whoever is killed leaves the old file or the new one, and two commands never lose each other's work.

A copy of the vault is as good as the vault: an older copy put back is not noticed. Trust data lie
outside; what the certificates mean is left to `receive` and `view`.

Standards: scrypt RFC 7914, AES-GCM NIST SP 800-38D, PKCS#8 RFC 5958.
"""

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from talentseal.encoding import (
    MAX_METADATA_DEPTH,
    b64url_decode,
    b64url_encode,
    canonical_json,
    dump_json,
    format_time,
    parse_json,
)
from talentseal.errors import InputError, RefusedError, UnavailableError, UsageError
from talentseal.files import (
    check_private_folder,
    make_private_folder,
    read_bounded,
    read_private,
    write_new,
    write_private,
)
from talentseal.keys import PublicKey, SoftwareSigner, new_signer
from talentseal.keystore import Stretch, make_lock, open_box, open_lock, pkcs8_of, seal_box
from talentseal.passphrase import SCRYPT_N, derive_key

SDJWT, CODE = "dc+sd-jwt", "talentseal_cwt"
MAX_VAULT_BYTES = 64 * 1024 * 1024
MAX_UNUSED_KEYS = 64
_LABEL = {"kind": "wallet-vault"}
_MAX_HISTORY = 10_000  # acts; the oldest are forgotten first
_MAX_NAMES = 2_000_000
_MIN_ID_CHARS = 4


@dataclass(frozen=True, slots=True)
class Key:
    """A private key that no certificate has yet: thumbprint and PKCS#8 in base64url."""

    kid: str
    pkcs8: str
    created: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One sealed copy with the key it is bound to.

    format      "dc+sd-jwt" or "talentseal_cwt"
    credential  the text, or the bytes of a static code in base64url
    used        how often it was handed out; two showings of one copy can be told to be the same
    """

    format: str
    credential: str
    kid: str
    pkcs8: str
    used: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """One certificate as a person thinks of it: its copies, and what was known on arrival.

    id        short, made from the first copy
    document  the issuer's own id, "" where it gave none
    summary   type, issuer, names, title, end: shown where trust data cannot say better
    """

    id: str
    document: str
    received: str
    summary: Mapping[str, Any]
    copies: Sequence[Copy]

    def copy(self, form: str) -> Copy | None:
        """The copy of this format that was used least."""
        found = (copy for copy in self.copies if copy.format == form)
        return min(found, key=lambda copy: copy.used, default=None)


@dataclass(frozen=True, slots=True)
class Act:
    """What the wallet did with a certificate; kept here and nowhere else."""

    at: str
    act: str
    id: str
    to: str = ""
    what: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """Certificates that an issuer promised for later, with all that it takes to ask again.

    again_at     NumericDate before which the issuer does not want to be asked, or before which
                 another command is taken to be asking it
    token, token_until, refresh_token  what the issuer gave; the token may end before it delivers
    waiting      transactions: `transaction_id`, `format`, `vct`, `request`
    arrived      copies that came already: `format`, `credential`, `vct`, `request`
    kids         keys, among the unused ones, that these certificates will be bound to
    """

    id: str
    issuer: str
    asked: str
    again_at: int
    token: str
    token_until: int | None
    refresh_token: str | None
    token_endpoint: str
    deferred_endpoint: str
    notification_endpoint: str | None
    notifications: Sequence[str]
    waiting: Sequence[Mapping[str, str]]
    arrived: Sequence[Mapping[str, str]]
    kids: Sequence[str]


@dataclass(slots=True)
class Content:
    """Everything inside the box."""

    keys: list[Key] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    history: list[Act] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)

    def find(self, wanted: str) -> Holding:
        """The holding of this id or of an unambiguous beginning of it. Raises UsageError."""
        named = wanted.lower()
        found = [held for held in self.holdings if held.id.startswith(named)]
        if len(named) < _MIN_ID_CHARS or len(found) != 1:
            raise UsageError(
                f"no certificate has the id {wanted[:40]}",
                code="NOT_FOUND",
                hint="`wallet list` shows the ids.",
            )
        return found[0]

    @property
    def room(self) -> int:
        """How many more keys may wait for certificates."""
        return MAX_UNUSED_KEYS - len(self.keys)

    def check_room(self, count: int) -> None:
        """Raises RefusedError where so many more keys would be too many."""
        if count > self.room:
            promised = ", ".join(entry.id for entry in self.pending)
            raise RefusedError(
                f"{len(self.keys)} keys wait for certificates; {MAX_UNUSED_KEYS} may",
                code="STATE_CONFLICT",
                hint=f"Give up what was promised ({promised}): wallet receive --give-up ID"
                if promised
                else "Ask for fewer copies, or use the keys of an earlier `wallet key`.",
            )

    def new_key(self, now: int) -> PublicKey:
        """Make a key for the next copy. Raises RefusedError past `MAX_UNUSED_KEYS`."""
        self.check_room(1)
        return self.add_key(now)

    def add_key(self, now: int) -> PublicKey:
        """The same for what was given already: it is not lost for want of room."""
        signer = new_signer()
        secret = b64url_encode(pkcs8_of(signer))
        self.keys.append(Key(signer.public.kid, secret, format_time(now)))
        return signer.public

    def drop_keys(self, kids: Collection[str]) -> None:
        """Forget keys that no certificate was made for after all."""
        self.keys = [key for key in self.keys if key.kid not in kids]

    def mark_used(self, kids: Collection[str], *, by: int = 1) -> None:
        """Count that the copies of these keys were handed out once more; -1: were not after all."""
        self.holdings = [
            replace(
                held,
                copies=[
                    replace(copy, used=copy.used + by) if copy.kid in kids else copy
                    for copy in held.copies
                ],
            )
            for held in self.holdings
        ]

    def note(self, act: Act) -> None:
        self.history = [*self.history, act][-_MAX_HISTORY:]

    def conclude(self, begun: Act, outcome: str) -> None:
        """Put how an act ended in the place of its beginning; one that is forgotten stays so."""
        for at in range(len(self.history) - 1, -1, -1):
            if self.history[at] == begun:
                self.history[at] = replace(begun, act=outcome)
                return


def signer_of(held: Copy | Key) -> SoftwareSigner:
    """A key of the vault, which was authenticated: what is no key is a fault of ours."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    key: Any = load_der_private_key(b64url_decode(held.pkcs8), None)
    return SoftwareSigner(key)


# --- the file -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vault:
    """An open vault: the file, its lock and the key that the passphrase gave."""

    path: Path
    lock: Mapping[str, Any]
    key: bytes = field(repr=False)

    def read(self) -> Content:
        """What it holds now. Raises UnavailableError."""
        lock, box = _read(self.path, read_private(self.path, MAX_VAULT_BYTES))
        if lock != self.lock:
            raise UnavailableError(f"{self.path} was replaced meanwhile", hint="Start again.")
        return _open_content(self.path, lock, box, self.key)

    @contextmanager
    def change(self) -> Iterator[Content]:
        """The content to be changed; it is on the disk when this ends without an error."""
        with _alone(self.path):
            content = self.read()
            yield content
            write_private(self.path, _seal(self.lock, content, self.key))
            _remove_leftovers(self.path)

    def copy_to(self, path: Path, passphrase: bytes) -> None:
        """A new file of the same content under a passphrase of its own; never replaces one."""
        lock, key = make_lock(passphrase, _LABEL, n=self.lock["kdf"]["n"])
        write_new(path, _seal(lock, self.read(), key))


def create(path: Path, passphrase: bytes, *, n: int = SCRYPT_N) -> Vault:
    """Make an empty vault. Raises RefusedError where there is one, UnavailableError."""
    return _create(path, Content(), passphrase, n)


def open_vault(path: Path, passphrase: bytes, *, stretch: Stretch = derive_key) -> Vault:
    """Open a vault. Raises UnavailableError: absent, open to others, damaged, wrong passphrase.

    stretch  `derive_key`, or one that may have begun earlier
    """
    if not path.parent.exists():
        raise UnavailableError(f"there is no wallet in {path.parent}", hint="Run `wallet init`.")
    check_private_folder(path.parent)
    lock, box = _read(path, read_private(path, MAX_VAULT_BYTES))
    key = _open_lock(path, lock, passphrase, stretch)
    _open_content(path, lock, box, key)
    return Vault(path, lock, key)


def restore(path: Path, backup: Path, opening: bytes, passphrase: bytes) -> Content:
    """Make a new vault from a backup; one that exists is never replaced or merged.

    Raises RefusedError, UnavailableError.
    """
    refuse_existing(path)
    lock, box = _read(backup, read_bounded(backup, MAX_VAULT_BYTES))
    content = _open_content(backup, lock, box, _open_lock(backup, lock, opening))
    _create(path, content, passphrase, lock["kdf"]["n"])
    return content


def refuse_existing(path: Path) -> None:
    """Raises RefusedError `STATE_CONFLICT` where a vault stands already."""
    if path.exists():
        raise RefusedError(
            f"there is a vault in {path} already",
            code="STATE_CONFLICT",
            hint="It was left as it is. Name another TALENTSEAL_HOME for a second wallet.",
        )


def _create(path: Path, content: Content, passphrase: bytes, n: int) -> Vault:
    refuse_existing(path)
    make_private_folder(path.parent)
    lock, key = make_lock(passphrase, _LABEL, n=n)
    write_new(path, _seal(lock, content, key))
    return Vault(path, lock, key)


def _seal(lock: Mapping[str, Any], content: Content, key: bytes) -> bytes:
    """The file. Raises RefusedError where it could not be opened again, being beyond a bound."""
    data = dump_json(asdict(content))
    try:
        _parse_content(data)
    except InputError as error:
        raise _unreadable(error.message) from error
    box = seal_box(data, key, canonical_json(lock))
    sealed = dump_json({"lock": lock, "box": b64url_encode(box)})
    if len(sealed) > MAX_VAULT_BYTES:
        raise _unreadable(f"it would be larger than {MAX_VAULT_BYTES} bytes")
    return sealed


def _unreadable(why: str) -> RefusedError:
    return RefusedError(
        f"the vault could not be opened again: {why}",
        code="TOO_LARGE",
        hint="It was left as it is. Keep what is new in a second wallet.",
    )


def _parse_content(data: bytes) -> Any:
    """What stands in the box, within bounds that leave room for what a certificate may say."""
    return parse_json(
        data, max_bytes=MAX_VAULT_BYTES, max_depth=MAX_METADATA_DEPTH, max_members=_MAX_NAMES
    )


def _read(path: Path, data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        document = parse_json(data, max_bytes=MAX_VAULT_BYTES)
        lock, box = document.get("lock"), document.get("box")
        if document.keys() != {"lock", "box"} or type(lock) is not dict or type(box) is not str:
            _damaged(path)
        if lock.get("kind") != _LABEL["kind"]:
            _damaged(path)
        return lock, b64url_decode(box)
    except InputError as error:
        _damaged(path, error)


def _open_lock(
    path: Path, lock: Mapping[str, Any], passphrase: bytes, stretch: Stretch = derive_key
) -> bytes:
    try:
        return open_lock(lock, passphrase, stretch=stretch)
    except InputError as error:
        _damaged(path, error)


def _open_content(path: Path, lock: Mapping[str, Any], box: bytes, key: bytes) -> Content:
    try:
        held = _parse_content(open_box(box, key, canonical_json(lock)))
    except InputError as error:
        _damaged(path, error)
    return Content(
        [Key(**key) for key in held["keys"]],
        [_holding(body) for body in held["holdings"]],
        [Act(**act) for act in held["history"]],
        [Pending(**body) for body in held.get("pending", ())],
    )


def _holding(body: dict[str, Any]) -> Holding:
    held = Holding(**body)
    return replace(held, copies=[Copy(**copy) for copy in body["copies"]])


def _damaged(path: Path, error: InputError | None = None) -> NoReturn:
    raise UnavailableError(
        f"{path} is damaged: truncated or altered",
        hint="The passphrase is not the cause. Move the file away, then run `wallet restore` with "
        "a backup.",
    ) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one command at a time change the vault; the others wait their short turn."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path.with_name(f".{path.name}-lock"), flags, 0o600)
    except OSError as error:
        raise UnavailableError(f"{path.parent} cannot be written") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    """Half-written files of commands that were killed; only their encrypted bytes are in them."""
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)
