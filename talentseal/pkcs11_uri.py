"""Where a key lives in a signing device, as an address without a secret.

`pkcs11:token=titles;object=sealing;id=%01` names a key by the label of its token and by its own
label, its id, or both. After `?` may stand the module that speaks with the device and the file that
holds its PIN. Nothing else is understood, and a PIN, or a program that tells one, is refused: URIs
are printed, logged and kept in databases.

Standard: RFC 7512, of which this is a subset.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from talentseal.errors import UsageError

SCHEME = "pkcs11"
MAX_URI_CHARS = 1024
MAX_LABEL_BYTES = 64  # of an object
MAX_TOKEN_BYTES = 32  # of a token, by the standard

_MARKS = r"A-Za-z0-9._~:\[\]@!$'()*+,=\-"  # what stands for itself, RFC 7512 §2.3
_PATH_PAIR = re.compile(rf"([a-z-]+)=((?:[{_MARKS}&]|%[0-9A-Fa-f]{{2}})+)")
_QUERY_PAIR = re.compile(rf"([a-z-]+)=((?:[{_MARKS}/?|]|%[0-9A-Fa-f]{{2}})+)")
_EXAMPLE = "Such as 'pkcs11:token=titles;object=sealing'."


class DeviceKey(NamedTuple):
    """A key's place, as its URI says it; at least one of `label` and `id`."""

    token: str
    label: str | None = None
    id: bytes | None = None
    module: str | None = None
    pin_file: str | None = None

    def __str__(self) -> str:
        """The URI; `parse_uri` takes it back."""
        path = [("token", self.token), ("object", self.label), ("id", self.id)]
        pin = None if self.pin_file is None else f"file:{self.pin_file}"
        query = [("module-path", self.module), ("pin-source", pin)]
        parts = [";".join(f"{name}={quote(text, safe='')}" for name, text in path if text)]
        parts += ["&".join(f"{name}={quote(text, safe='/:')}" for name, text in query if text)]
        return f"{SCHEME}:{'?'.join(filter(None, parts))}"


def is_device_uri(uri: str) -> bool:
    """Whether this is meant to be the URI of a key in a signing device."""
    return uri.startswith(f"{SCHEME}:")


def parse_uri(uri: str) -> DeviceKey:
    """Read a PKCS#11 URI with the attributes of `DeviceKey` and no others. Raises UsageError.

    What is wrong is said without quoting the URI, which may hold what should not be in it.
    """
    if not is_device_uri(uri) or len(uri) > MAX_URI_CHARS:
        raise UsageError("not the URI of a key in a signing device", hint=_EXAMPLE)
    path, mark, query = uri.removeprefix(f"{SCHEME}:").partition("?")
    found = _pairs(path.split(";"), _PATH_PAIR, ("token", "object", "id"))
    asked = query.split("&") if mark else []
    found |= _pairs(asked, _QUERY_PAIR, ("module-path", "pin-source"))
    if "token" not in found or not found.keys() & {"object", "id"}:
        raise UsageError("the URI names no token, or no key in it", hint=_EXAMPLE)
    pin = found.get("pin-source")
    return DeviceKey(
        token=_label(found["token"], MAX_TOKEN_BYTES),
        label=_label(found["object"], MAX_LABEL_BYTES) if "object" in found else None,
        id=_id(found["id"]) if "id" in found else None,
        module=_path(found["module-path"]) if "module-path" in found else None,
        pin_file=None if pin is None else _pin_source(pin),
    )


def _pairs(parts: Sequence[str], form: re.Pattern[str], names: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in parts:
        if part.startswith(("pin-value", "pin-source=%7C", "pin-source=%7c", "pin-source=|")):
            raise UsageError(
                "a PIN, or a program that tells it, never stands in a URI",
                hint="Name a file that holds it: pin-source=file:/path",
            )
        pair = form.fullmatch(part)
        if pair is None or pair[1] not in names or pair[1] in found:
            raise UsageError(
                "the URI has a part that is unknown here, twice there or misspelt",
                hint="Allowed: token, object, id, and after ? module-path, pin-source.",
            )
        found[pair[1]] = unquote_to_bytes(pair[2])
    return found


def _label(data: bytes, limit: int) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError("a label in the URI is not UTF-8 text") from error
    if len(data) > limit or not text.isprintable():
        raise UsageError(f"a label in the URI is longer than {limit} bytes, or cannot be printed")
    return text


def _id(data: bytes) -> bytes:
    if len(data) > MAX_LABEL_BYTES:
        raise UsageError(f"the id in the URI is longer than {MAX_LABEL_BYTES} bytes")
    return data


def _path(data: bytes) -> str:
    path = _label(data, MAX_URI_CHARS)
    if not path.startswith("/"):
        raise UsageError("a file in the URI is named by its whole path, from / on")
    return path


def _pin_source(data: bytes) -> str:
    if not data.startswith(b"file:"):
        raise UsageError("the PIN comes from a file", hint="pin-source=file:/path")
    return _path(data.removeprefix(b"file:").removeprefix(b"//"))
