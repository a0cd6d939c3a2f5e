"""Connections that go where they were checked, and end in time.

A host name is looked up once for a connection; if one of its addresses is not reachable by the
whole internet, nothing is connected at all; otherwise the connection goes to one of the addresses
that were checked, so that a second look-up cannot lead elsewhere (DNS rebinding). TLS is verified
against the name, not the address. Every wait ends at one moment: a server that drips a byte now
and then gains nothing. HTTP/1.1 itself is left to httpcore2, what is asked to `fetch`.

The timeouts that httpcore2 hands to these two classes are moments of the monotonic clock, set by
`fetch` for each request: so one connection can serve requests with different ends.

Standards: RFC 9112 by httpcore2 and h11; TLS 1.2 and 1.3, BCP 195.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpcore2

from talentseal.addresses import is_literal, is_loopback, is_public, refuse
from talentseal.errors import UnavailableError

Resolver = Callable[[str], Sequence[str]]

_MAX_ADDRESSES = 4  # of a host with many, these are tried
_MAX_CONNECTIONS = 64
# TLS 1.2: forward secrecy and AEAD alone (BCP 195 §4.2); 1.3 has nothing else.
_CIPHERS = ":".join(
    f"ECDHE-{kind}-AES{size}" for kind in ("ECDSA", "RSA") for size in
    ("128-GCM-SHA256", "256-GCM-SHA384")
)  # fmt: skip


def make_pool(
    context: ssl.SSLContext, resolver: Resolver, *, near: Mapping[str, str], loopback: bool,
    keep: bool,
) -> httpcore2.ConnectionPool:  # fmt: skip
    """A pool whose connections are checked.

    near      development: host -> loopback address where it is found
    loopback  development: hosts that are spelled as this machine may be called
    keep      keep connections for the next request to the same host
    """
    return httpcore2.ConnectionPool(
        ssl_context=context,
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=None if keep else 0,
        network_backend=_Backend(resolver, near, loopback=loopback),
    )


@cache
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """What TLS is verified by: the system's authorities, or those of one file alone.

    Read once in the life of a program. Raises UnavailableError where the file cannot be used.
    """
    if ca_file is None:
        context = httpcore2.default_ssl_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise UnavailableError(
                f"{ca_file} holds no certificates that can be used",
                code="INPUT_UNREADABLE",
                hint="Name a file of PEM certificates in TALENTSEAL_CA_FILE.",
            ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    return context


def look_up(host: str) -> Sequence[str]:
    """The addresses of a name, by the system's name service. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("a name that cannot be looked up") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _left(moment: float | None) -> float:
    """Seconds until a moment of the monotonic clock. Raises TimeoutError where it has passed."""
    seconds = 0.0 if moment is None else moment - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, resolver: Resolver, near: Mapping[str, str], *, loopback: bool) -> None:
        self._resolver, self._near, self._loopback = resolver, near, loopback

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> "_Stream":
        del local_address, socket_options
        addresses = self._addresses(host, timeout)[:_MAX_ADDRESSES]
        for tried, address in enumerate(addresses, start=1):
            share = _left(timeout) / (len(addresses) - tried + 1)
            try:
                connected = socket.create_connection((address, port), share)
            except OSError:
                if tried == len(addresses):
                    raise
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(connected)
        raise OSError("the name has no address")

    def _addresses(self, host: str, end: float | None) -> Sequence[str]:
        """Where a host may be called. Raises RefusedError, OSError."""
        if host in self._near:
            return [self._near[host]]
        if self._loopback and is_loopback(host):
            return ["127.0.0.1" if host == "localhost" else host]
        if is_literal(host):
            addresses: Sequence[str] = [host]
        else:
            addresses = _in_time(lambda: self._resolver(host), _left(end))
        if not all(map(is_public, addresses)):
            refuse(f"{host} leads to an address that is not on the public internet")
        return addresses


def _in_time(work: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """The name service has no timeout of its own. Raises what the work raises, TimeoutError."""
    outcome: list[Sequence[str] | OSError] = []

    def run() -> None:
        try:
            outcome.append(work())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="look-up", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


class _Stream(httpcore2.NetworkStream):
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(_left(timeout))
        return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(_left(timeout))
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                raise
            except OSError as error:  # the server may have answered before it hung up
                raise httpcore2.WriteError from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "_Stream":
        try:
            self._socket.settimeout(_left(timeout))
            secure = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except OSError:
            self._socket.close()
            raise
        return _Stream(secure)

    def get_extra_info(self, info: str) -> Any:
        """Whether something waits to be read: an idle connection then was closed by the server."""
        if info != "is_readable":
            return None
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(0))
