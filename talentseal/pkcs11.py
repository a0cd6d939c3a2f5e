"""Signing devices: keys that are made inside a token and never leave it.

Each process has one session per token, all behind one lock per module: devices answer one caller at
a time, in the order of asking, and the modules we met fail when several threads have sessions of
their own. ECDSA is asked for over our own SHA-256, which every device can.

When a token is lost, its session is dead for good. Each act therefore opens the module anew and
tries once more before it gives up, so a token that comes back is used again without a restart.
A process that was forked opens its own. A PIN that was refused is not tried again until its file
says another: devices lock themselves after a few wrong ones.

Left to others: which key signs what (the services), and whether it may (trust data). How a key is
addressed: `pkcs11_uri`. Standard: PKCS#11 v3.0.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from talentseal.errors import InputError, UnavailableError, UsageError
from talentseal.fair import FairLock
from talentseal.files import read_private
from talentseal.keys import SIGNATURE_BYTES, PublicKey
from talentseal.pkcs11_uri import DeviceKey, parse_uri

if TYPE_CHECKING:
    from pkcs11 import Session

T = TypeVar("T")
Random = Callable[[int], bytes]

WAIT_SECONDS = 10.0  # a caller behind a device that has stopped answering gives up then
MAX_PIN_BYTES = 255
_ID_BYTES = 16


class DeviceSettings(NamedTuple):
    """What holds where a URI does not say otherwise."""

    module: Path | None = None
    pin_file: Path | None = None
    wait_seconds: float = WAIT_SECONDS


class _Seat(NamedTuple):
    """A key's place with all that its URI leaves to the settings."""

    key: DeviceKey
    module: Path
    pin_file: Path | None
    wait_seconds: float

    @property
    def device(self) -> str:
        return f"the key device (token {self.key.token})"


def _seat(key: DeviceKey, settings: DeviceSettings) -> _Seat:
    module = Path(key.module) if key.module else settings.module
    if module is None:
        raise UsageError(
            "no module of a signing device is set",
            hint="Name the library of its maker in TALENTSEAL_PKCS11_MODULE.",
        )
    pin_file = Path(key.pin_file) if key.pin_file else settings.pin_file
    return _Seat(key, module, pin_file, settings.wait_seconds)


# --- signers --------------------------------------------------------------------------------------


class DeviceSigner:
    """A key in a token, for every thread; each act opens anew what was lost.

    `sign` raises UnavailableError that names the device, and never says a PIN.
    """

    def __init__(self, seat: _Seat, public: PublicKey) -> None:
        self._seat = seat
        self._public = public

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, message: bytes) -> bytes:
        return _device(self._seat.module).sign(self._seat, self._public, message)

    def __repr__(self) -> str:
        return f"DeviceSigner({self.public.kid})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key in a signing device is opened where it is used")


def open_device_signer(uri: str, settings: DeviceSettings) -> DeviceSigner:
    """The signer of a key that exists; its session is open when this returns.

    Raises UsageError, or UnavailableError: no device, no such key, a PIN refused; `NOT_OFFERED`
    where the extra `hsm` is not installed.
    """
    seat = _seat(parse_uri(uri), settings)
    return DeviceSigner(seat, _device(seat.module).public(seat))


def make_device_key(
    uri: str, settings: DeviceSettings, *, alg: str = "ES256", random: Random = os.urandom
) -> tuple[DeviceSigner, str]:
    """Make a key inside the token; returns its signer and the URI that names this key alone.

    A URI without `id` gets a random one, so that several keys may share a label. Raises UsageError
    for an id that is taken, InputError `ALG_NOT_ALLOWED`, UnavailableError as `open_device_signer`.
    """
    if alg not in _CURVES:
        raise InputError(f"{alg} is not an allowed algorithm", code="ALG_NOT_ALLOWED")
    key = parse_uri(uri)
    if key.id is None:
        key = key._replace(id=random(_ID_BYTES))
    seat = _seat(key, settings)
    return DeviceSigner(seat, _device(seat.module).make(seat, alg)), str(key)


def _read_pin(seat: _Seat) -> str:
    if seat.pin_file is None:
        raise UsageError(
            "no PIN of the signing device is set",
            hint="Name a file that holds it, readable by its owner only, in "
            "TALENTSEAL_PKCS11_PIN_FILE.",
        )
    data = read_private(seat.pin_file, MAX_PIN_BYTES + 2).removesuffix(b"\n").removesuffix(b"\r")
    if not 0 < len(data) <= MAX_PIN_BYTES or not _is_line(data):
        raise UsageError(f"{seat.pin_file} does not hold a PIN in one line of text")
    return data.decode()


def _is_line(data: bytes) -> bool:
    try:
        return data.decode().isprintable()
    except UnicodeDecodeError:
        return False


def in_reach(work: Callable[[], T]) -> T:
    """What `work` returns or raises; the main thread can be interrupted while it waits for that.

    A device may never answer, and a signal is heeded only between two steps of Python.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: Future[T] = Future()
    threading.Thread(target=_do, args=(work, outcome), daemon=True).start()
    return outcome.result()


def _do(work: Callable[[], T], outcome: "Future[T]") -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001  raised where it is waited for
        outcome.set_exception(error)


# --- one module in one process --------------------------------------------------------------------

_devices: dict[Path, "_Device"] = {}


def _device(module: Path) -> "_Device":
    """The one device of this process behind a module. Raises UnavailableError `NOT_OFFERED`."""
    _errors()
    _watch_forks()
    return _devices.get(module) or _devices.setdefault(module, _Device(module))


@cache
def _watch_forks() -> None:
    os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    """In a forked process: the parent's threads may hold the locks, and sessions are not ours."""
    for device in _devices.values():
        device.begin_anew()


class _Device:
    """A module with its lock, its sessions by token, and the keys found in them."""

    _library: Any

    def __init__(self, module: Path) -> None:
        self.module = module
        self._refused: dict[str, str] = {}  # by token, until another PIN is taken
        self.begin_anew()

    def begin_anew(self) -> None:
        self._lock = FairLock()
        self._forget()

    def _forget(self) -> None:
        """Drop everything that lives in the module; the next act opens it anew."""
        self._is_open = False
        self._sessions: dict[str, Session] = {}
        self._keys: dict[DeviceKey, tuple[Any, PublicKey]] = {}

    def public(self, seat: _Seat) -> PublicKey:
        return self._run(seat, lambda: self._key(seat)[1])

    def sign(self, seat: _Seat, public: PublicKey, message: bytes) -> bytes:
        signature = self._run(seat, lambda: self._signature(seat, public, message))
        if len(signature) != SIGNATURE_BYTES:
            raise UnavailableError(f"{seat.device} gave no signature of {public.alg}")
        return signature

    def _signature(self, seat: _Seat, public: PublicKey, message: bytes) -> bytes:
        from pkcs11 import Mechanism

        key, found = self._key(seat)
        if found != public:
            raise UnavailableError(f"{seat.device} holds another key than it did before")
        if public.alg == "EdDSA":
            return in_reach(lambda: bytes(key.sign(message, mechanism=Mechanism.EDDSA)))
        digest = hashlib.sha256(message).digest()
        return in_reach(lambda: bytes(key.sign(digest, mechanism=Mechanism.ECDSA)))

    def make(self, seat: _Seat, alg: str) -> PublicKey:
        """Raises UsageError for a key that is there already."""
        return self._run(seat, lambda: self._made(seat, alg), anew=True)

    def _made(self, seat: _Seat, alg: str) -> PublicKey:
        session = self._session(seat, writing=True)
        try:
            _find(session, seat)
        except _errors().NoSuchKey:
            return _generate(session, seat, alg)
        raise UsageError(f"{seat.device} has such a key already", hint="Name another id.")

    def _run(self, seat: _Seat, work: Callable[[], T], *, anew: bool = False) -> T:
        """Do `work` alone, and once more with the module opened anew. Raises UnavailableError.

        anew  for what must not be done twice: open anew first, and do it once
        """
        with self._alone(seat), self._explained(seat):
            if not anew:
                try:
                    return work()
                except _pin_errors():
                    raise
                except _errors().PKCS11Error:
                    pass  # most likely a token that was away; what is still wrong is told below
            self._forget()
            return work()

    @contextmanager
    def _alone(self, seat: _Seat) -> Iterator[None]:
        lock = self._lock
        if not lock.acquire(timeout=seat.wait_seconds):
            raise UnavailableError(
                f"{seat.device} has not answered others for {seat.wait_seconds:g} seconds",
                hint="Look at the device; nothing was signed.",
            )
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _explained(self, seat: _Seat) -> Iterator[None]:
        """Errors of the module as a sentence about this device; nothing half-open is kept."""
        try:
            yield
        except _errors().PKCS11Error as error:
            self._forget()
            raise _sentence(error, seat) from error

    def _key(self, seat: _Seat) -> tuple[Any, PublicKey]:
        if seat.key not in self._keys:
            self._keys[seat.key] = _find(self._session(seat), seat)
        return self._keys[seat.key]

    def _session(self, seat: _Seat, *, writing: bool = False) -> "Session":
        token = seat.key.token
        if token not in self._sessions:
            self._sessions[token] = self._log_in(seat, _read_pin(seat), writing=writing)
        return self._sessions[token]

    def _log_in(self, seat: _Seat, pin: str, *, writing: bool) -> "Session":
        token = seat.key.token
        if self._refused.get(token) == pin:
            raise _pin_refused(seat)
        self._open_module(seat)
        try:
            session: Session = self._library.get_token(token_label=token).open(
                rw=writing, user_pin=pin
            )
        except _errors().PinIncorrect:
            self._refused[token] = pin
            raise
        self._refused.pop(token, None)
        return session

    def _open_module(self, seat: _Seat) -> None:
        """Open the module unless it is. Only one that was closed looks for its tokens again."""
        if self._is_open:
            return
        import pkcs11

        try:
            self._library = pkcs11.lib(str(self.module))
        except pkcs11.PKCS11Error as error:
            if type(error) is not pkcs11.PKCS11Error:
                raise  # the module is there and says what it lacks
            raise UnavailableError(
                f"the module of {seat.device} cannot be loaded",
                hint="TALENTSEAL_PKCS11_MODULE names the library of the device's maker.",
            ) from error
        self._library.reinitialize()
        self._is_open = True


# --- what is asked of a session -------------------------------------------------------------------

# Object identifiers of the curves as DER (RFC 5480 §2.1.1.1, RFC 8410 §3).
_CURVES: Mapping[str, bytes] = {
    "ES256": bytes.fromhex("06082a8648ce3d030107"),
    "EdDSA": bytes.fromhex("06032b6570"),
}
_POINT_BYTES = {"ES256": 65, "EdDSA": 32}
_OCTET_STRING = 0x04


def _search(key: DeviceKey) -> dict[str, Any]:
    named = {"label": key.label, "id": key.id}
    return {name: value for name, value in named.items() if value is not None}


def _find(session: "Session", seat: _Seat) -> tuple[Any, PublicKey]:
    from pkcs11 import ObjectClass

    private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, **_search(seat.key))
    public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, **_search(seat.key))
    return private, _read_public(public, seat)


def _generate(session: "Session", seat: _Seat, alg: str) -> PublicKey:
    """A pair that signs and does nothing else, whose private half the token never gives away."""
    from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag

    is_edwards = alg == "EdDSA"
    curve = session.create_domain_parameters(
        KeyType.EC_EDWARDS if is_edwards else KeyType.EC,
        {Attribute.EC_PARAMS: _CURVES[alg]},
        local=True,
    )
    public, _ = curve.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN if is_edwards else Mechanism.EC_KEY_PAIR_GEN,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        store=True,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        **_search(seat.key),
    )
    return _read_public(public, seat)


def _read_public(key: Any, seat: _Seat) -> PublicKey:
    """The point of a public key object, in a DER OCTET STRING or, in older devices, bare."""
    from pkcs11 import Attribute

    curve, point = bytes(key[Attribute.EC_PARAMS]), bytes(key[Attribute.EC_POINT])
    alg = next((name for name, oid in _CURVES.items() if oid == curve), None)
    if alg is None:
        raise UnavailableError(f"{seat.device} holds a key of a kind not allowed here")
    wrapping = bytes((_OCTET_STRING, _POINT_BYTES[alg]))
    bare = point[2:] if len(point) == _POINT_BYTES[alg] + 2 and point[:2] == wrapping else point
    try:
        return PublicKey(_public_key(alg, bare))
    except ValueError as error:
        raise UnavailableError(f"{seat.device} holds a public key that cannot be read") from error


def _public_key(alg: str, point: bytes) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    if alg == "EdDSA":
        return ed25519.Ed25519PublicKey.from_public_bytes(point)
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


# --- errors ---------------------------------------------------------------------------------------


def _errors() -> Any:
    """The errors of the library, which is an extra. Raises UnavailableError `NOT_OFFERED`."""
    try:
        from pkcs11 import exceptions
    except ImportError as error:
        raise UnavailableError(
            "keys in a signing device need the extra `hsm`, which is not installed",
            code="NOT_OFFERED",
            hint='Run: pip install "talentseal[hsm]"',
        ) from error
    return exceptions


def _pin_errors() -> tuple[type[Exception], ...]:
    errors = _errors()
    return (
        errors.PinIncorrect,
        errors.PinInvalid,
        errors.PinLenRange,
        errors.PinLocked,
        errors.PinExpired,
        errors.UserPinNotInitialized,
    )


def _pin_refused(seat: _Seat) -> UnavailableError:
    return UnavailableError(
        f"{seat.device} refuses the PIN",
        hint="Put the right PIN into its file. The same one is not tried again: devices lock after "
        "a few wrong ones.",
    )


def _sentence(error: Exception, seat: _Seat) -> UnavailableError:
    """What a module says, for people."""
    errors, device = _errors(), seat.device
    if isinstance(error, errors.PinIncorrect):
        return _pin_refused(seat)
    if isinstance(error, _pin_errors()):
        return UnavailableError(
            f"{device} is locked, or has no PIN yet", hint="Its security officer can help."
        )
    if isinstance(error, errors.NoSuchKey):
        return UnavailableError(f"{device} has no key of that label and id")
    if isinstance(error, errors.MultipleObjectsReturned):
        return UnavailableError(f"{device} has several keys that fit", hint="Name an id.")
    if isinstance(error, errors.MechanismInvalid):
        return UnavailableError(
            f"{device} cannot make or use such a key", code="NOT_OFFERED", hint="ES256 is common."
        )
    return UnavailableError(
        f"{device} is not there, or does not answer ({type(error).__name__})",
        hint="Once it is back it is used again, without a restart.",
    )
