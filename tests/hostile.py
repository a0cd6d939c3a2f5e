"""Servers on loopback that answer byte by byte as a test says, over plain TCP or TLS."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Speak = Callable[[socket.socket, bytes], None]


@dataclass
class Heard:
    """A running server and what it was told.

    connections  how many were made
    names        what TLS asked for (SNI)
    """

    url: str
    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)

    def headers(self, number: int = -1) -> dict[str, str]:
        lines = self.requests[number].decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
        pairs = [line.partition(": ") for line in lines]
        return {name.lower(): value for name, _, value in pairs}

    def body(self, number: int = -1) -> bytes:
        return self.requests[number].partition(b"\r\n\r\n")[2]


@contextmanager
def server(speak: Speak, tls: ssl.SSLContext | None = None) -> Iterator[Heard]:
    """Serve until the block ends; `speak` answers one request on its connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    heard = Heard(f"{'https' if tls else 'http'}://127.0.0.1:{port}", port)
    if tls is not None:
        tls.sni_callback = lambda _connection, name, _context: heard.names.append(name)
    open_sockets: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError), connection:
            secure = tls.wrap_socket(connection, server_side=True) if tls else connection
            with secure:
                while request := read_request(secure):
                    heard.requests.append(request)
                    speak(secure, request)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(20)
                heard.connections += 1
                open_sockets.append(connection)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield heard
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    """Head and body of one request; nothing at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def path_of(request: bytes) -> str:
    return request.split(b" ", 2)[1].decode()


# --- what servers say -----------------------------------------------------------------------------


def answer(
    body: bytes = b"{}",
    *,
    status: int = 200,
    kind: str | None = "application/json",
    length: int | None = None,
    **headers: str,
) -> bytes:
    """A whole answer; `headers` with `_` for `-`."""
    lines = [f"HTTP/1.1 {status} Word"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


def saying(data: bytes) -> Speak:
    """Always the same."""
    return lambda connection, _request: connection.sendall(data)


def saying_and_leaving(data: bytes) -> Speak:
    def speak(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return speak


def dripping(data: bytes, *, seconds: float = 0.05) -> Speak:
    """One byte now and then."""

    def speak(connection: socket.socket, _request: bytes) -> None:
        for at in range(len(data)):
            connection.sendall(data[at : at + 1])
            time.sleep(seconds)

    return speak


def endless(head: bytes, again: bytes) -> Speak:
    def speak(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(again)

    return speak


def silent(_connection: socket.socket, _request: bytes) -> None:
    time.sleep(20)


def files(published: Mapping[str, bytes]) -> Speak:
    """The published files of a registry below `/tuf/`; what is not there is a 404."""

    def speak(connection: socket.socket, request: bytes) -> None:
        data = published.get(path_of(request).removeprefix("/tuf/"))
        if data is None:
            connection.sendall(answer(b"{}", status=404))
        else:
            connection.sendall(answer(data, kind="application/octet-stream"))

    return speak


# --- TLS ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A TLS authority of a test; `file` is its certificate."""

    file: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    def context(self, host: str) -> ssl.SSLContext:
        """A server's context with a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = _certificate(_name(host), self.name, key.public_key(), names, self.key)
        file = self.file.with_name(f"{host}.pem")
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def make_authority(folder: Path, name: str = "Example authority") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    constraint = x509.BasicConstraints(ca=True, path_length=0)
    certificate = _certificate(_name(name), _name(name), key.public_key(), constraint, key)
    file = folder / f"{name}.pem".replace(" ", "-")
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(file, key, _name(name))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    extension: x509.ExtensionType,
    by: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    builder = builder.add_extension(extension, critical=True)
    return builder.add_extension(identifier, critical=False).sign(by, hashes.SHA256())
