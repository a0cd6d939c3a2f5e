"""The one fetcher: every call that we make to an address that somebody else gave us.

It promises: https alone, to a public name, on port 443 or one that the operator listed; connected
to the address that was checked, with TLS verified against the name; no redirect unless asked for,
and then each one checked anew; an end in five seconds whatever the server does; a body within its
cap, counted after decompression; the content type that was expected; no cookie, no referrer, no
proxy from the environment. What a body means is left to the caller, and so are the purposes: which
hosts may be called at all. The body of a client error (4xx) is returned, bounded, for protocols
that put their errors there; `Answer.document` never gives it.

In development alone (`TALENTSEAL_DEV=1`) the machine itself may be called over http, and hosts may
be found on it (`TALENTSEAL_DEV_HOSTS`, like curl's `--resolve`).

Standards: RFC 9110, RFC 9112, RFC 9700 §4.11 (redirects); connections are made by `wire`.
"""

import ssl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self
from urllib.parse import urlencode, urljoin, urlsplit

from talentseal.addresses import Target, is_loopback, parse_url, refuse
from talentseal.commandline import setting
from talentseal.encoding import dump_json, gunzip, too_large
from talentseal.errors import InputError, RefusedError, UnavailableError, UsageError

if TYPE_CHECKING:
    import httpcore2

    from talentseal.wire import Resolver

DEV = "TALENTSEAL_DEV"
DEV_HOSTS = "TALENTSEAL_DEV_HOSTS"
CA_FILE = "TALENTSEAL_CA_FILE"
PORTS = "TALENTSEAL_FETCH_PORTS"

USER_AGENT = "Talentseal"
CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 5.0
MAX_REDIRECTS = 3
MAX_ERROR_BYTES = 64 * 1024
ANY = "*/*"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRETS = frozenset({"authorization", "dpop"})  # headers that no redirect carries to another host
_NOTHING: Mapping[str, str] = MappingProxyType({})
# What httpcore2 says of a connection that was not made; the request itself comes after it.
_NO_CONNECTION = frozenset({"connection.connect_tcp.failed", "connection.start_tls.failed"})


class Answer(NamedTuple):
    """What a server answered with a status of 2xx or 4xx.

    headers  names in lower case; several of one name joined by a comma
    body     decompressed; of an error at most 64 KiB, or nothing
    url      where it came from, after redirects
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def media_type(self) -> str:
        return _media_type(self.headers)

    @property
    def document(self) -> bytes:
        """The body of a success. Raises UnavailableError: an error is never a document."""
        if self.status >= 400:
            _unavailable(f"{_host(self.url)} answered {self.status}")
        return self.body


class _Asked(NamedTuple):
    """One request, and the bounds of its answer.

    accept  media types that are taken
    end     moment of the monotonic clock
    """

    method: str
    headers: Mapping[str, str]
    content: bytes | None
    accept: Sequence[str]
    max_bytes: int
    end: float


class Fetcher:
    """Calls to addresses that others gave us. Safe for use by several threads.

    ports      ports that may be called beside 443
    dev        the development switch: this machine may be called, over http as well
    dev_hosts  host -> base URL on this machine where it is found; only with `dev`
    ca_file    PEM file of the only authorities that TLS is verified by; else those of the system
    resolver   host -> addresses; else the system's name service
    keep       keep connections for the next request; then `close` it, or use it in a `with`
    """

    def __init__(
        self,
        *,
        ports: Collection[int] = (),
        dev: bool = False,
        dev_hosts: Mapping[str, str] = _NOTHING,
        ca_file: Path | None = None,
        resolver: "Resolver | None" = None,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        keep: bool = False,
    ) -> None:
        if dev_hosts and not dev:
            raise UsageError("hosts are only found elsewhere in development")
        self._ports, self._dev, self._ca_file = frozenset(ports), dev, ca_file
        self._near = {host.lower(): _near(base) for host, base in dev_hosts.items()}
        self._resolver, self._keep = resolver, keep
        self._connect_seconds, self._total_seconds = connect_seconds, total_seconds

    def get(
        self,
        url: str,
        *,
        accept: str | Sequence[str],
        max_bytes: int,
        redirects: int = 0,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Answer:
        """What is found at an address.

        accept     media types that are taken, such as `application/json`; ANY for data whose digest
                   is known, but never a page of HTML
        max_bytes  of the body after decompression
        redirects  how many are followed, at most 3; with a token none to another host

        Raises InputError for an address or a body that breaks its bounds, RefusedError for one
        that is not called, UnavailableError for everything that the network or the server did.
        """
        asked = self._asked("GET", accept, max_bytes, headers)
        answer = self._ask(url, asked)
        for _ in range(min(redirects, MAX_REDIRECTS)):
            if answer.status not in _REDIRECTS:
                break
            answer = self._ask(self._next_url(answer, asked), asked)
        return _arrived(answer)

    def post(
        self,
        url: str,
        *,
        accept: str | Sequence[str],
        max_bytes: int,
        json: object = None,
        data: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "",
        headers: Mapping[str, str] = _NOTHING,
    ) -> Answer:
        """Send a JSON document, the fields of a form, or a body with its content type.

        No redirect is ever followed. Bounds and errors are those of `get`.
        """
        content, sent_as = _content(json, data, body, content_type)
        typed = {**headers, "Content-Type": sent_as} if sent_as else headers
        asked = self._asked("POST", accept, max_bytes, typed)._replace(content=content)
        return _arrived(self._ask(url, asked))

    def target(self, url: str) -> Target:
        """Where an address leads, without calling it. Raises InputError, RefusedError."""
        return parse_url(url, ports=self._ports, loopback=self._dev)

    def close(self) -> None:
        """Close the connections that were kept."""
        if "_pool" in self.__dict__:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def _asked(
        self, method: str, accept: str | Sequence[str], max_bytes: int, headers: Mapping[str, str]
    ) -> _Asked:
        accepted = (accept,) if isinstance(accept, str) else tuple(accept)
        sent = {
            "User-Agent": USER_AGENT,
            "Accept": ", ".join(accepted),
            "Accept-Encoding": "gzip",
            **headers,
        }
        end = time.monotonic() + self._total_seconds
        return _Asked(method, sent, None, accepted, max_bytes, end)

    def _ask(self, url: str, asked: _Asked) -> Answer:
        """One request and its answer, redirects included."""
        target = self.target(url)
        events: list[str] = []
        try:
            with _explained(target.host):
                status, headers, body = self._exchange(target, asked, events)
        except UnavailableError as error:
            error.is_unsent = bool(events) and events[-1] in _NO_CONNECTION
            raise
        if status not in _REDIRECTS and not (200 <= status < 300 or 400 <= status < 500):
            _unavailable(f"{target.host} answered {status}")
        if status < 300 and body:
            _check_type(target.host, headers, asked.accept)
        return Answer(status, headers, body, url)

    def _exchange(
        self, target: Target, asked: _Asked, events: list[str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body; `events` of the connection are added as they happen."""
        import httpcore2

        near = self._near.get(target.host)
        scheme, port = (near.scheme, near.port) if near else (target.scheme, target.port)
        url = httpcore2.URL(
            scheme=scheme.encode(), host=target.host.encode(), port=port,
            target=target.path.encode(),
        )  # fmt: skip
        connected = min(asked.end, time.monotonic() + self._connect_seconds)
        with self._pool.stream(
            asked.method,
            url,
            headers=[("Host", target.authority), *asked.headers.items()],
            content=asked.content,
            extensions={
                "timeout": {
                    "connect": connected, "read": asked.end, "write": asked.end,
                    "pool": self._total_seconds,
                },
                "trace": lambda name, _: events.append(name),
            },
        ) as response:  # fmt: skip
            headers = _headers(response.headers)
            return response.status, headers, _body(response, headers, asked.max_bytes)

    @cached_property
    def _pool(self) -> "httpcore2.ConnectionPool":
        from talentseal.wire import look_up, make_pool, tls_context

        near = {host: target.host for host, target in self._near.items()}
        return make_pool(
            tls_context(self._ca_file), self._resolver or look_up, near=near, loopback=self._dev,
            keep=self._keep,
        )  # fmt: skip

    def _next_url(self, answer: Answer, asked: _Asked) -> str:
        """Where a redirect leads. Raises RefusedError, InputError."""
        before = self.target(answer.url)
        try:
            location = urljoin(answer.url, answer.headers.get("location", ""))
        except ValueError as error:
            raise InputError("a redirect to what is no address", code="MALFORMED") from error
        after = self.target(location)
        secret = {name.lower() for name in asked.headers} & _SECRETS
        if secret and after[:3] != before[:3]:
            refuse(f"{before.host} redirects a token to {after.host}")
        return location


def _arrived(answer: Answer) -> Answer:
    if answer.status in _REDIRECTS:
        _unavailable(f"{_host(answer.url)} answered with a redirect that is not followed")
    return answer


def _host(url: str) -> str:
    """The host of an address that was checked before, for messages; never more of it."""
    return urlsplit(url).hostname or ""


def _content(
    json: object, data: Mapping[str, str] | None, body: bytes | None, content_type: str
) -> tuple[bytes, str]:
    if json is not None:
        return dump_json(json), content_type or "application/json"
    if data is not None:
        return urlencode(data).encode(), content_type or "application/x-www-form-urlencoded"
    return body or b"", content_type


# --- answers --------------------------------------------------------------------------------------


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_type(host: str, headers: Mapping[str, str], accept: Sequence[str]) -> None:
    found = _media_type(headers)
    if found in ("text/html", "application/xhtml+xml") and found not in accept:
        _unavailable(
            f"{host} answered with a page for people",
            hint="A public network may want you to sign in first. Open a browser, then try again.",
        )
    if ANY not in accept and found not in accept:
        _unavailable(f"{host} answered with another kind of document than {accept[0]}")


def _body(response: "httpcore2.Response", headers: Mapping[str, str], max_bytes: int) -> bytes:
    """The body within its cap; of an error what fits, of a redirect nothing.

    Raises InputError `TOO_LARGE` or `MALFORMED`.
    """
    if response.status in _REDIRECTS:
        return b""
    if response.status < 300:
        return _plain(_read(response, max_bytes), headers, max_bytes)
    try:
        cap = min(max_bytes, MAX_ERROR_BYTES)
        return _plain(_read(response, cap), headers, cap)
    except InputError:
        return b""


def _read(response: "httpcore2.Response", max_bytes: int) -> bytes:
    data = bytearray()
    for chunk in response.iter_stream():
        data += chunk
        if len(data) > max_bytes:
            too_large(f"an answer of more than {max_bytes} bytes")
    return bytes(data)


def _plain(data: bytes, headers: Mapping[str, str], max_bytes: int) -> bytes:
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity" or not data:
        return data
    if coding not in ("gzip", "x-gzip"):
        raise InputError("an answer in a compression that was not asked for", code="MALFORMED")
    return gunzip(data, max_bytes=max_bytes)


# --- errors ---------------------------------------------------------------------------------------


def _unavailable(message: str, hint: str = "Try again later.") -> NoReturn:
    raise UnavailableError(message, hint=hint)


@contextmanager
def _explained(host: str) -> Iterator[None]:
    """What can go wrong on the network, as one of our sentences; it names the host and no more."""
    import httpcore2

    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise UnavailableError(
            f"{host} could not prove that it is {host} ({error.verify_message})",
            hint="Somebody may stand in between. Do not go on over this network.",
        ) from error
    except (TimeoutError, httpcore2.TimeoutException) as error:
        raise UnavailableError(f"{host} did not answer in time") from error
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        raise UnavailableError(f"{host} did not speak HTTP as it must") from error
    except (OSError, httpcore2.NetworkError) as error:
        raise UnavailableError(
            f"{host} cannot be reached", hint="Is there a network? Is the name right?"
        ) from error


# --- settings -------------------------------------------------------------------------------------


def fetcher_from_settings(**bounds: Any) -> Fetcher:
    """The fetcher that the operator's settings describe.

    bounds  `total_seconds`, `connect_seconds`, `keep` as `Fetcher` takes them

    Raises UsageError for a setting that makes no sense.
    """
    ca_file = setting(CA_FILE)
    return Fetcher(
        ports=parse_ports(setting(PORTS) or ""),
        dev=setting(DEV) == "1",
        dev_hosts=parse_dev_hosts(setting(DEV_HOSTS) or ""),
        ca_file=Path(ca_file) if ca_file else None,
        **bounds,
    )


def parse_ports(text: str) -> frozenset[int]:
    """Ports, such as `8443,9443`. Raises UsageError."""
    ports = [port.strip() for port in text.split(",") if port.strip()]
    if not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports):
        raise UsageError(f"{PORTS} is no list of ports such as 8443,9443")
    return frozenset(map(int, ports))


def parse_dev_hosts(text: str) -> Mapping[str, str]:
    """Hosts and where they are found, such as `a.example=http://127.0.0.1:8701`. UsageError."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if not all(host and base for host, _, base in pairs):
        raise UsageError(f"{DEV_HOSTS} is no list such as a.example=http://127.0.0.1:8701")
    return {host.strip(): base.strip() for host, _, base in pairs}


def _near(base: str) -> Target:
    """Where a host is found in development. Raises UsageError unless it is this machine."""
    try:
        target = parse_url(base, loopback=True)
    except (InputError, RefusedError) as error:
        raise UsageError(f"{DEV_HOSTS} names no address of this machine") from error
    if not is_loopback(target.host) or target.path != "/":
        raise UsageError(f"{DEV_HOSTS} may only name addresses of this machine, without a path")
    return target._replace(host="127.0.0.1") if target.host == "localhost" else target


__all__ = [
    "ANY",
    "Answer",
    "Fetcher",
    "fetcher_from_settings",
    "parse_dev_hosts",
    "parse_ports",
]
