"""SD-JWT VC: the wallet credential, issued, disclosed, bound to its holder, and read.

Reading believes nothing: `parse` splits and bounds the text, `open_disclosures` puts disclosed
claims in their places and enforces the rules of RFC 9901 §7.1. Signatures, types, times and
status are judged in `verify`.

Standards: SD-JWT RFC 9901; SD-JWT VC draft-ietf-oauth-sd-jwt-vc-19 (media type `dc+sd-jwt`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, NoReturn

from talentseal.encoding import (
    MAX_DISCLOSURE_BYTES,
    MAX_DISCLOSURES,
    MAX_SDJWT_BYTES,
    b64url_decode_all,
    b64url_encode,
    b64url_encode_all,
    b64url_encode_bytes,
    b64url_encode_pieces,
    dump_json,
    dump_json_each,
    json_list,
    parse_json,
    parse_json_arrays,
    too_large,
)
from talentseal.errors import InputError, UsageError
from talentseal.jose import Jws, parse_jws, sign_jws
from talentseal.keys import PublicKey, Signer
from talentseal.type_metadata import ENVELOPE, CredentialType, Path

TYP = "dc+sd-jwt"
TYP_KEY_BINDING = "kb+jwt"
SALT_BYTES = 16
DIGEST_BYTES = 32
DIGEST_CHARS = 43  # SHA-256 in base64url
Randomness = Callable[[int], bytes]

# Names that a disclosure may never carry: the format's own, and what must always be visible.
_RESERVED = frozenset(("_sd", "...", "_sd_alg"))
_FORBIDDEN = _RESERVED | ENVELOPE | {"aka_vcts", "vct_metadata"}


class SdJwt(NamedTuple):
    """A parsed, unverified SD-JWT with what came along.

    bound_text  everything up to and including the last `~` before the key-binding token
    """

    jws: Jws
    disclosures: Sequence[str]
    key_binding: str | None
    bound_text: str


class Opened(NamedTuple):
    """Claims with the disclosed ones in their places.

    disclosed  names of top-level claims that came from disclosures
    nested     paths of disclosures below the top level, None for an element of a list
    hiding     paths of the claims with digests inside, whether what they hide is shown or not
    """

    claims: dict[str, Any]
    disclosed: frozenset[str]
    nested: frozenset[tuple[str | None, ...]] = frozenset()
    hiding: frozenset[tuple[str | None, ...]] = frozenset()


# --- reading --------------------------------------------------------------------------------------


def looks_like_sdjwt(text: str) -> bool:
    return "~" in text and "." in text


def parse(text: str) -> SdJwt:
    """Split an SD-JWT in compact form (RFC 9901 §4). Raises InputError.

    Codes: `NOT_A_CREDENTIAL`, `MALFORMED`, `TOO_LARGE`.
    """
    if len(text) > MAX_SDJWT_BYTES:
        too_large(f"a credential of {len(text)} characters; at most {MAX_SDJWT_BYTES} are read")
    end = text.find("~")
    if end < 0:
        raise InputError("no certificate", code="NOT_A_CREDENTIAL")
    *disclosures, last = text[end + 1 :].split("~")
    if len(disclosures) > MAX_DISCLOSURES:
        too_large(f"{len(disclosures)} disclosures; at most {MAX_DISCLOSURES} are read")
    bound_text = text[: len(text) - len(last)]
    return SdJwt(parse_jws(text, end=end), disclosures, last or None, bound_text)


def sd_hash(bound_text: str) -> str:
    """What a key-binding token commits to (RFC 9901 §4.3.1)."""
    return b64url_encode(sha256(bound_text.encode("ascii")).digest())


def open_disclosures(
    payload: Mapping[str, Any], disclosures: Sequence[str], *, inner: Iterable[str] | None = None
) -> Opened:
    """Put every disclosure in its place (RFC 9901 §7.1 (3)-(5)).

    inner  names of all members below the payload's top level, if at hand: they may tell that
           nothing is hidden there

    Raises InputError `DISCLOSURE_INVALID` or `DISCLOSURE_FORBIDDEN`; also `MALFORMED` and
    `TOO_LARGE` from the bytes of a disclosure.
    """
    if payload.get("_sd_alg", "sha-256") != "sha-256":
        invalid("disclosures are hashed by an algorithm that is not read here")
    received = [text.encode() for text in disclosures]
    texts = _decode_disclosures(received)
    names = set(_RESERVED if inner is None else inner)
    parts = parse_json_arrays(texts, inner=names)
    waiting = dict(zip(_digests(received), parts, strict=True))
    if len(waiting) != len(disclosures):
        invalid("the same disclosure twice")
    flat = _RESERVED.isdisjoint(names) and "..." not in payload
    opened = _open_flat(payload, waiting) if flat else None
    return opened or _Opener(waiting).open_payload(payload)


def invalid(message: str) -> NoReturn:
    raise InputError(message, code="DISCLOSURE_INVALID")


def _open_flat(payload: Mapping[str, Any], waiting: Mapping[str, list[Any]]) -> Opened | None:
    """What the walk below comes to where digests stand in the payload's own `_sd` alone.

    All disclosures at once; None where anything is wrong, which the walk will find and name.
    """
    claims = dict(payload)
    claims.pop("_sd_alg", None)
    digests, parts = claims.pop("_sd", []), waiting.values()
    if not waiting.keys() <= _distinct(digests) or set(map(len, parts)) != _LENGTH_OF_CLAIM:
        return None
    salts, names, values = zip(*parts, strict=True)
    if set(map(type, salts + names)) != _TEXT or not _FORBIDDEN.isdisjoint(names):
        return None
    claims.update(zip(names, values, strict=True))
    if len(claims) != len(payload) - ("_sd" in payload) - ("_sd_alg" in payload) + len(names):
        return None  # a name that was there already, or that stands twice
    return Opened(claims, frozenset(names))


_LENGTH_OF_CLAIM, _TEXT = {3}, {str}


class _Opener:
    """One walk over a payload: digests are replaced, each used once, each rule met on the way."""

    def __init__(self, waiting: dict[str, list[Any]]) -> None:
        self.waiting = waiting
        self.digests: set[str] = set()
        self.top: list[str] = []
        self.nested: list[tuple[str | None, ...]] = []
        self.hiding: list[tuple[str | None, ...]] = []

    def open_payload(self, payload: Mapping[str, Any]) -> Opened:
        claims = self.open_object(payload, ())
        claims.pop("_sd_alg", None)
        if self.waiting:
            invalid("a disclosure that no digest refers to")
        found = frozenset(self.top), frozenset(self.nested), frozenset(self.hiding)
        return Opened(claims, *found)

    def open_object(self, node: Mapping[str, Any], path: tuple[str | None, ...]) -> dict[str, Any]:
        claims: dict[str, Any] = {}
        for name, value in node.items():
            if name == "_sd":
                continue
            if name == "..." or (name == "_sd_alg" and path):
                invalid("a reserved name inside a claim")
            kind = type(value)
            claims[name] = self.open(value, (*path, name)) if kind in (dict, list) else value
        if "_sd" in node:
            self._open_members(node["_sd"], claims, path)
        return claims

    def _open_members(
        self, digests: Any, claims: dict[str, Any], path: tuple[str | None, ...]
    ) -> None:
        if path:
            self.hiding.append(path)
        for parts in self._take_all(digests):
            _check_claim(parts, claims)
            _, name, value = parts
            if path:
                self.nested.append((*path, name))
            else:
                self.top.append(name)
            claims[name] = self.open(value, (*path, name))

    def open(self, value: Any, path: tuple[str | None, ...]) -> Any:
        if type(value) is dict:
            return self.open_object(value, path)
        return self._open_list(value, path) if type(value) is list else value

    def _open_list(self, items: Sequence[Any], path: tuple[str | None, ...]) -> list[Any]:
        opened = []
        inner = (*path, None)
        for item in items:
            if type(item) is not dict or "..." not in item:
                opened.append(self.open(item, inner))
                continue
            if len(item) != 1:
                invalid("a placeholder with other members")
            self.hiding.append(path)
            for parts in self._take_all([item["..."]]):
                if len(parts) != 2 or type(parts[0]) is not str:
                    invalid("a disclosure of another form than a list element's")
                self.nested.append(inner)
                opened.append(self.open(parts[1], inner))
        return opened

    def _take_all(self, digests: Any) -> list[list[Any]]:
        """The disclosures behind a list of digests, of which each may stand in one place only."""
        fresh = _distinct(digests)
        if not self.digests.isdisjoint(fresh):
            invalid("a digest that stands in two places")
        self.digests |= fresh
        waiting = self.waiting
        return [waiting.pop(digest) for digest in digests if digest in waiting]


def _check_claim(parts: list[Any], claims: Mapping[str, Any]) -> None:
    """Whether a disclosure is `[salt, name, value]` with a name that may join `claims`."""
    if len(parts) != 3 or type(parts[0]) is not str or type(parts[1]) is not str:
        invalid("a disclosure of another form than a claim's")
    if parts[1] in _FORBIDDEN:
        raise InputError(f"{parts[1]} may not be hidden", code="DISCLOSURE_FORBIDDEN")
    if parts[1] in claims:
        invalid("a disclosed claim that is there already")


def _distinct(digests: Any) -> set[str]:
    """A list of digests as a set; each is a text of the right length, and none stands twice."""
    if type(digests) is not list:
        invalid("a list of digests that is no list")
    try:
        # Of all JSON values a text alone has a length and can be a member of a set.
        distinct, lengths = set(digests), set(map(len, digests))
    except TypeError as error:
        raise InputError("a digest that is no text", code="DISCLOSURE_INVALID") from error
    if len(distinct) != len(digests) or not lengths <= _DIGEST_LENGTHS:
        invalid("a digest of a wrong form, or one that stands in two places")
    return distinct


_DIGEST_LENGTHS = frozenset((DIGEST_CHARS,))


def _decode_disclosures(disclosures: Sequence[bytes]) -> list[bytes]:
    longest = max(map(len, disclosures), default=0)
    if longest > MAX_DISCLOSURE_BYTES:
        too_large(f"a disclosure of {longest} characters; at most {MAX_DISCLOSURE_BYTES}")
    return b64url_decode_all(disclosures)


def _digests(disclosures: Sequence[bytes]) -> list[str]:
    """The digest of each disclosure, over its text as received (RFC 9901 §4.2.3).

    Encoded in one go: a zero byte after each fills the last group of three, and what it adds is
    the 44th character alone.
    """
    hashed = [sha256(text).digest() for text in disclosures]
    text = b64url_encode(b"\0".join([*hashed, b""]))
    return [text[at : at + DIGEST_CHARS] for at in range(0, len(text), DIGEST_CHARS + 1)]


def _read_disclosure(text: str) -> tuple[str, list[Any]]:
    """The digest of a disclosure and its two or three parts."""
    received = (text.encode(),)
    parts: list[Any] = parse_json(_decode_disclosures(received)[0], top=list)
    if not 2 <= len(parts) <= 3 or type(parts[0]) is not str:
        invalid("a disclosure of a wrong form")
    return _digests(received)[0], parts


# --- issuing --------------------------------------------------------------------------------------


class Envelope(NamedTuple):
    """What a credential says about itself; times are NumericDates rounded to the hour."""

    iss: str
    iat: int
    exp: int
    nbf: int | None
    territory: Sequence[str]
    status_uri: str
    status_index: int


class Content(NamedTuple):
    """All that makes one credential, but its signature and chance.

    claims  validated, in the shape of the type (`schemas.credentials`)
    public  the key that is to check the signature
    x5c     leaf first, anchor left out, standard base64 (RFC 7515 §4.1.6)
    """

    claims: Mapping[str, Any]
    envelope: Envelope
    holder_jwk: Mapping[str, str]
    public: PublicKey
    x5c: Sequence[str]


class Unsealed(NamedTuple):
    """A credential that lacks nothing but its signature; three parts of its text, in ASCII.

    start  what credentials of one key and one envelope begin with, up to somewhere in the payload
    body   the rest of the payload: with it ends what is to be signed
    tail   all disclosures, each after a `~`, and the last `~`
    """

    start: bytes
    body: bytes
    tail: bytes

    @property
    def signing_input(self) -> bytes:
        return self.start + self.body


def issue(
    claims: Mapping[str, Any],
    envelope: Envelope,
    kind: CredentialType,
    *,
    holder_jwk: Mapping[str, str],
    signer: Signer,
    x5c: Sequence[str],
    randomness: Randomness,
) -> str:
    """Seal a claim set as an SD-JWT VC with all its disclosures; the text ends in `~`.

    The arguments are those of `Content` and `prepare`.
    """
    content = Content(claims, envelope, holder_jwk, signer.public, x5c)
    (made,) = prepare([content], kind, randomness=randomness)
    signed = made.signing_input
    return f"{signed.decode()}.{b64url_encode(signer.sign(signed))}{made.tail.decode()}"


def prepare(
    contents: Sequence[Content], kind: CredentialType, *, randomness: Randomness
) -> list[Unsealed]:
    """Credentials of one type, ready to be signed. Many at once cost much less than one by one.

    randomness  bytes from the system generator; salts and decoys are cut from it

    Raises UsageError `CLAIMS_INVALID` for a claim that the type does not know.
    """
    cutter = _Cutter(kind)
    texts: list[list[bytes]] = [[] for _ in contents]
    payloads = [
        _payload(content, kind, cutter, into) for content, into in zip(contents, texts, strict=True)
    ]
    cutter.cut(randomness)
    return [
        _unsealed(content, kind, payload, disclosures)
        for content, payload, disclosures in zip(contents, payloads, texts, strict=True)
    ]


def _unsealed(
    content: Content, kind: CredentialType, payload: Mapping[str, Any], disclosures: list[bytes]
) -> Unsealed:
    public = content.public
    start, cut_off = _start(
        (public.alg, public.kid, tuple(content.x5c)),
        (kind.vct, kind.integrity),
        content.envelope[:4],
    )
    body = b64url_encode_bytes(cut_off + dump_json(payload)[1:])
    return Unsealed(start, body, b"~%b~" % b"~".join(disclosures) if disclosures else b"~")


@lru_cache(maxsize=1024)  # an issuer repeats them for ever, or for an hour
def _start(
    sealed_by: tuple[str, str, tuple[str, ...]],
    kind: tuple[str, str],
    envelope: tuple[str, int, int, int | None],
) -> tuple[bytes, bytes]:
    """Header and beginning of the payload in base64url, as far as whole groups of three go.

    Also the one or two bytes that are left over.
    """
    (alg, kid, x5c), (vct, integrity), (iss, iat, exp, nbf) = sealed_by, kind, envelope
    header = dump_json({"alg": alg, "typ": TYP, "kid": kid, "x5c": x5c})
    told: dict[str, Any] = {"iss": iss, "vct": vct, "vct#integrity": integrity, "iat": iat}
    if nbf is not None and nbf > iat:
        told["nbf"] = nbf
    text = dump_json(told | {"exp": exp})[:-1] + b","
    whole = len(text) // 3 * 3
    return f"{b64url_encode(header)}.{b64url_encode(text[:whole])}".encode(), text[whole:]


def _payload(
    content: Content, kind: CredentialType, cutter: "_Cutter", texts: list[bytes]
) -> dict[str, Any]:
    """The payload behind its beginning; digests and `texts`, the disclosures, come by `cutter`."""
    _, _, _, _, territory, uri, idx = content.envelope
    payload: dict[str, Any] = {
        "status": {"status_list": {"idx": idx, "uri": uri}},
        "territory": territory,
        "cnf": {"jwk": dict(content.holder_jwk)},
    }
    always, never = kind.always, kind.never
    hidden = {}
    for name, value in content.claims.items():
        if name in always:
            hidden[name] = value
        elif name in never:
            payload[name] = value
        else:
            raise UsageError("claims that the type does not know", code="CLAIMS_INVALID")
    if always:
        cutter.hide(hidden, (), len(always), payload, texts)
        payload["_sd_alg"] = "sha-256"
    return payload


_Names = frozenset[str | int | None]
_NOTHING: Mapping[Any, _Names] = {}
# What one object or one list hides: how many disclosures, how many decoys beside them; the object
# whose `_sd`, or the list whose elements, the digests will be; a list for the disclosures.
_Group = tuple[int, int, dict[str, Any] | list[Any], list[bytes]]


class _Cutter:
    """Turns the hidden claims of credentials into salted disclosures, innermost first.

    `hide` takes note of what will stand where, `cut` writes it: what lies equally deep is encoded
    in one go. That is what sealing many is made of.
    """

    def __init__(self, kind: CredentialType) -> None:
        self._outer = _outer(kind.nested)
        self._levels = [_Level() for _ in range(1 + max(map(len, kind.nested), default=1))]

    def hide(
        self,
        members: dict[str, Any],
        path: Path,
        slots: int,
        into: dict[str, Any],
        texts: list[bytes],
    ) -> None:
        """Make disclosures of all members; `into` will have their digests as `_sd`.

        slots  how many digests there will be, with decoys
        texts  a list for the disclosures: what lies inside one will stand before it
        """
        outer = self._outer.get(path, _NOTHING)
        for name in [name for name in members if name in outer] if outer else ():
            members[name] = self._hide_inside(members[name], (*path, name), outer[name], texts)
        into["_sd"] = None  # its place among the members
        group = (len(members), slots - len(members), into, texts)
        self._levels[len(path)].add(group, members, members.values())

    def _hide_inside(self, value: Any, path: Path, names: _Names, texts: list[bytes]) -> Any:
        """A claim with what is hidden inside it; None among the names: each of its elements."""
        if None in names:
            elements: list[Any] = []
            group = (len(value), 0, elements, texts)
            self._levels[len(path)].add(group, [None] * len(value), value)
            return elements
        clear: dict[str, Any] = {}
        hidden: dict[str, Any] = {}
        for name, member in value.items():
            (hidden if name in names else clear)[name] = member
        self.hide(hidden, path, len(names), clear, texts)
        return clear

    def cut(self, randomness: Randomness) -> None:
        """Write the disclosures and digests of all that was hidden."""
        for level in reversed(self._levels):
            if level.groups:
                level.cut(randomness)


class _Level:
    """What is hidden equally deep: names and values of the disclosures, and their groups.

    None for the name of an element.
    """

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self.values: list[Any] = []
        self.groups: list[_Group] = []

    def add(self, group: _Group, names: Collection[str | None], values: Collection[Any]) -> None:
        self.names += names
        self.values += values
        self.groups.append(group)

    def cut(self, randomness: Randomness) -> None:
        """The disclosures, then the digests, where they belong."""
        disclosures = self._disclosures(randomness)
        hashed = [sha256(text).digest() for text in disclosures]
        padding = randomness(DIGEST_BYTES * sum([decoys for _, decoys, *_ in self.groups]))
        digests = b64url_encode_pieces(b"".join((*hashed, padding)), DIGEST_BYTES)
        at, after = 0, len(hashed)
        for hidden, decoys, into, texts in self.groups:
            begin, at = at, at + hidden
            first, after = after, after + decoys
            texts.extend(disclosures[begin:at])
            if isinstance(into, dict):
                into["_sd"] = json_list(sorted(digests[begin:at] + digests[first:after]))
            else:
                into.extend([{"...": digest.decode()} for digest in digests[begin:at]])

    def _disclosures(self, randomness: Randomness) -> list[bytes]:
        cut = b64url_encode_pieces(randomness(SALT_BYTES * len(self.names)), SALT_BYTES)
        salts = [salt.decode() for salt in cut]
        parts: list[Any] = list(zip(salts, self.names, self.values, strict=True))
        if None in self.names:
            parts = [(salt, value) if name is None else (salt, name, value)
                     for salt, name, value in parts]  # fmt: skip
        return b64url_encode_all(dump_json_each(parts))


@lru_cache(maxsize=64)
def _outer(nested: frozenset[Path]) -> Mapping[Path, Mapping[Any, _Names]]:
    """Where a claim hides something inside: path above it -> its name -> the names inside."""
    found: dict[Path, dict[Any, _Names]] = {}
    for *above, name, inside in nested:
        names = found.setdefault(tuple(above), {}).setdefault(name, frozenset())
        found[tuple(above)][name] = names | {inside}
    return found


# --- presenting -----------------------------------------------------------------------------------


def disclose(text: str, names: Iterable[str]) -> str:
    """Keep the disclosures of the named top-level claims, with all that lies inside them.

    A dotted name keeps one member alone: `id_document.number_tail` shows the document claim with
    nothing but that member of the hidden ones. Raises UsageError for a name that is not there.
    """
    sealed = parse(text)
    read = {
        digest: (raw, parts)
        for raw in sealed.disclosures
        for digest, parts in (_read_disclosure(raw),)
    }
    wanted = set(names)
    keep: set[str] = set()
    found: set[str] = set()
    for digest, (_, parts) in read.items():
        if len(parts) == 3 and isinstance(parts[1], str):
            matching = {n for n in wanted if n == parts[1] or n.startswith(f"{parts[1]}.")}
            if matching and _is_top(digest, sealed):
                found |= matching & {parts[1]}
                keep.add(digest)
                found |= _keep_inside(parts, matching, read, keep)
    if wanted - found:
        missing = ", ".join(sorted(wanted - found))
        raise UsageError(f"nothing of the name {missing} can be disclosed here")
    kept = [raw for digest, (raw, _) in read.items() if digest in keep]
    token = text.split("~", 1)[0]
    return "~".join((token, *kept, ""))


def _is_top(digest: str, sealed: SdJwt) -> bool:
    return digest in parse_json(sealed.jws.payload).get("_sd", ())


def _keep_inside(
    parts: Sequence[Any],
    matching: set[str],
    read: Mapping[str, tuple[str, list[Any]]],
    keep: set[str],
) -> set[str]:
    """Add the disclosures inside a disclosed value; return the dotted names that were found."""
    found = set()
    for digest in _digests_in(parts[2]):
        if digest not in read:
            continue
        inner = read[digest][1]
        dotted = f"{parts[1]}.{inner[1]}" if len(inner) == 3 else None
        if parts[1] in matching or dotted in matching:
            keep.add(digest)
            if dotted is not None:
                found.add(dotted)
    return found & matching


def _digests_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return list(value.get("_sd", ()))
    if isinstance(value, list):
        return [item["..."] for item in value if isinstance(item, dict) and "..." in item]
    return []


def disclose_paths(text: str, paths: Iterable[Sequence[str | int | None]]) -> str:
    """Keep the disclosures that these claims path pointers need, and all that lies inside them.

    A path is a name, an index or None (every element) a step, as in OpenID4VP 1.0 §7; claims that
    are always visible need nothing. Raises UsageError for a path that leads nowhere.
    """
    sealed = parse(text)
    found = [_read_disclosure(raw) for raw in sealed.disclosures]
    read = dict(found)
    payload = parse_json(sealed.jws.payload)
    keep: set[str] = set()
    for path in paths:
        if not _keep_path(payload, path, read, keep):
            raise UsageError("nothing of that name can be disclosed here")
    kept = [
        raw for raw, (digest, _) in zip(sealed.disclosures, found, strict=True) if digest in keep
    ]
    return "~".join((text.split("~", 1)[0], *kept, ""))


def _keep_path(
    node: Any, path: Sequence[str | int | None], read: Mapping[str, list[Any]], keep: set[str]
) -> bool:
    """Add what `path` needs below `node`; whether it leads anywhere."""
    if not path:
        for digest, value in _children(node, read):
            keep |= {digest} - {""}
            _keep_path(value, (), read, keep)
        return True
    reached = False
    for digest, value in _steps(node, path[0], read):
        inner: set[str] = set()
        if _keep_path(value, path[1:], read, inner):
            reached = True
            keep |= (inner | {digest}) - {""}
    return reached


def _steps(
    node: Any, step: str | int | None, read: Mapping[str, list[Any]]
) -> list[tuple[str, Any]]:
    """Digest ("" where none hides it) and value of each child that one step of a path selects."""
    if isinstance(node, dict) and isinstance(step, str):
        if step in node:
            return [("", node[step])]
        hidden = [(d, read[d]) for d in _digests_in(node) if d in read]
        return [(d, parts[2]) for d, parts in hidden if len(parts) == 3 and parts[1] == step]
    if isinstance(node, list) and not isinstance(step, str):
        children = _children(node, read)
        return children if step is None else children[step : step + 1]
    return []


def _children(node: Any, read: Mapping[str, list[Any]]) -> list[tuple[str, Any]]:
    """Every child of a claim with the digest that hides it, "" where none does."""
    if isinstance(node, dict):
        clear = [("", value) for name, value in node.items() if name != "_sd"]
        return clear + [(d, read[d][-1]) for d in _digests_in(node) if d in read]
    if not isinstance(node, list):
        return []
    children = []
    for item in node:
        digest = item["..."] if isinstance(item, dict) and "..." in item else ""
        if digest == "" or digest in read:
            children.append((digest, read[digest][-1] if digest else item))
    return children


def bind(text: str, *, audience: str, nonce: str, issued_at: int, signer: Signer) -> str:
    """Add a key-binding token for one verifier and one request (RFC 9901 §4.3)."""
    bound_text = parse(text).bound_text
    payload = {"iat": issued_at, "aud": audience, "nonce": nonce, "sd_hash": sd_hash(bound_text)}
    return bound_text + sign_jws(dump_json(payload), {"typ": TYP_KEY_BINDING}, signer)


def all_claims(text: str) -> dict[str, Any]:
    """Every claim of a credential whose holder keeps all disclosures; nothing is verified."""
    sealed = parse(text)
    return open_disclosures(parse_json(sealed.jws.payload), sealed.disclosures).claims
