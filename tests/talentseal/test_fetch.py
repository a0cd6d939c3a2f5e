import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hostile import (
    Heard,
    answer,
    dripping,
    endless,
    make_authority,
    path_of,
    saying,
    saying_and_leaving,
    server,
    silent,
)

from talentseal.errors import InputError, RefusedError, UnavailableError, UsageError
from talentseal.fetch import ANY, Answer, Fetcher, fetcher_from_settings

JSON = "application/json"
SHORT = 0.5  # seconds of a whole request, in tests that wait for its end
Resolver = Callable[[str], Sequence[str]]


def nowhere(host: str) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def near(*, total_seconds: float = 10.0, **more: Any) -> Fetcher:
    """A fetcher in development, which looks nothing up."""
    return Fetcher(dev=True, resolver=nowhere, total_seconds=total_seconds, **more)


def get(url: str, *, fetcher: Fetcher | None = None, max_bytes: int = 1000, **more: Any) -> Answer:
    return (fetcher or near()).get(url, **{"accept": JSON, "max_bytes": max_bytes, **more})


@pytest.fixture
def honest() -> Iterator[Heard]:
    with server(saying(answer(b'{"a":1}'))) as heard:
        yield heard


# --- what is asked and answered -------------------------------------------------------------------


def test_a_document_is_fetched_and_nothing_is_told_about_us(honest: Heard) -> None:
    found = get(f"{honest.url}/a?b=c")
    assert (found.status, found.body, found.document) == (200, b'{"a":1}', b'{"a":1}')
    assert (found.media_type, found.url) == (JSON, f"{honest.url}/a?b=c")
    assert honest.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert honest.headers() == {
        "host": f"127.0.0.1:{honest.port}",
        "user-agent": "Talentseal",
        "accept": JSON,
        "accept-encoding": "gzip",
    }


def test_a_host_is_found_on_this_machine_in_development(honest: Heard) -> None:
    fetcher = near(dev_hosts={"titles.example": honest.url})
    assert get("https://titles.example/a", fetcher=fetcher).url == "https://titles.example/a"
    assert honest.headers()["host"] == "titles.example"


def test_forms_documents_and_bodies_are_sent(honest: Heard) -> None:
    fetcher, bounds = near(), {"accept": JSON, "max_bytes": 1000}
    fetcher.post(honest.url, data={"code": "a b&c"}, **bounds)  # type: ignore[arg-type]
    assert honest.body() == b"code=a+b%26c"
    assert honest.headers()["content-type"] == "application/x-www-form-urlencoded"
    fetcher.post(honest.url, json={"a": "é"}, **bounds)  # type: ignore[arg-type]
    assert (honest.body(), honest.headers()["content-type"]) == ('{"a":"é"}'.encode(), JSON)
    fetcher.post(
        honest.url, body=b"a.b.c", content_type="application/jose", headers={"DPoP": "x"},
        accept=JSON, max_bytes=1000,
    )  # fmt: skip
    assert (honest.body(), honest.headers()["content-type"]) == (b"a.b.c", "application/jose")
    assert honest.headers()["dpop"] == "x"
    fetcher.post(honest.url, **bounds)  # type: ignore[arg-type]
    assert (honest.body(), honest.headers()["content-length"]) == (b"", "0")


def test_cookies_are_forgotten() -> None:
    with server(saying(answer(Set_Cookie="a=b; Path=/"))) as heard, near(keep=True) as fetcher:
        assert get(heard.url, fetcher=fetcher).headers["set-cookie"] == "a=b; Path=/"
        get(heard.url, fetcher=fetcher)
        assert "cookie" not in heard.headers()


def test_proxies_of_the_environment_are_not_asked(
    honest: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(honest.url).status == 200


def test_connections_are_kept_where_that_is_asked_for(honest: Heard) -> None:
    with near(keep=True) as fetcher:
        for _ in range(3):
            get(honest.url, fetcher=fetcher)
        assert honest.connections == 1
    fetcher = near()
    for _ in range(3):
        get(honest.url, fetcher=fetcher)
    assert honest.connections == 4


def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    with server(saying_and_leaving(answer())) as heard, near(keep=True) as fetcher:
        for _ in range(3):
            assert get(heard.url, fetcher=fetcher).status == 200
            time.sleep(0.05)


def test_one_fetcher_serves_several_threads() -> None:
    def speak(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer(path_of(request).encode()))

    with server(speak) as heard, near(keep=True) as fetcher, ThreadPoolExecutor(8) as pool:
        urls = [f"{heard.url}/{number}" for number in range(64)]
        found = list(pool.map(lambda url: get(url, fetcher=fetcher), urls))
    assert [one.body for one in found] == [f"/{number}".encode() for number in range(64)]


def test_an_answer_without_a_body_needs_no_type() -> None:
    with server(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as heard:
        assert (get(heard.url).status, get(heard.url).body) == (204, b"")


# --- errors of the server -------------------------------------------------------------------------


def test_the_body_of_an_error_is_given_but_never_as_a_document() -> None:
    body = b'{"error":"invalid_grant"}'
    with server(saying(answer(body, status=400, DPoP_Nonce="n"))) as heard:
        found = near().post(heard.url, data={}, accept=JSON, max_bytes=1000)
        assert (found.status, found.body, found.headers["dpop-nonce"]) == (400, body, "n")
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 answered 400"):
            _ = found.document


@pytest.mark.parametrize("data", [b"x" * 1001, b"x" * 200_000])
def test_the_body_of_an_error_is_bounded(data: bytes) -> None:
    with server(saying(answer(data, status=404))) as heard:
        assert get(heard.url)[::2] == (404, b"")
        assert len(get(heard.url, max_bytes=10**6).body) == (1001 if len(data) == 1001 else 0)


@pytest.mark.parametrize("status", [300, 304, 500, 503, 599])
def test_a_server_that_cannot_is_unavailable(status: int) -> None:
    with (
        server(saying_and_leaving(answer(b"", status=status))) as heard,
        pytest.raises(UnavailableError) as refusal,
    ):
        get(heard.url)
    assert (refusal.value.code, str(status) in refusal.value.message) == (
        "DEPENDENCY_UNAVAILABLE",
        True,
    )


def test_a_server_that_wants_another_protocol_is_unavailable() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n"
    with server(saying_and_leaving(upgrade)) as heard, pytest.raises(UnavailableError):
        get(heard.url)


# --- redirects ------------------------------------------------------------------------------------


def redirecting(location: str, status: int = 302) -> bytes:
    return answer(b"<html>gone</html>", status=status, kind="text/html", Location=location)


def test_no_redirect_is_followed_unless_asked(honest: Heard) -> None:
    with server(saying(redirecting(honest.url))) as heard:
        with pytest.raises(UnavailableError, match="redirect"):
            get(heard.url)
        with pytest.raises(UnavailableError, match="redirect"):
            near().post(heard.url, data={"code": "secret"}, accept=JSON, max_bytes=100)
    assert not honest.requests


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_where_it_is_asked_for(honest: Heard, status: int) -> None:
    with server(saying(redirecting(f"{honest.url}/b", status))) as heard:
        assert get(heard.url, redirects=1).url == f"{honest.url}/b"


def test_a_redirect_may_be_relative() -> None:
    def speak(connection: socket.socket, request: bytes) -> None:
        there = path_of(request) == "/a/c"
        connection.sendall(answer(b"{}") if there else redirecting("c"))

    with server(speak) as heard:
        assert get(f"{heard.url}/a/b", redirects=1).url == f"{heard.url}/a/c"


def test_redirects_are_counted_and_never_more_than_three() -> None:
    with server(saying(redirecting("/again"))) as heard:
        for asked, made in ((1, 2), (3, 4), (99, 4)):
            heard.requests.clear()
            with pytest.raises(UnavailableError, match="redirect"):
                get(heard.url, redirects=asked)
            assert len(heard.requests) == made


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://0xa9fea9fe/",
        "https://2852039166/",
        "https://metadata.example/",
        "http://titles.example/",
        "https://titles.example:6379/",
        "https://user@titles.example/",
        "file:///etc/hostname",
        "gopher://titles.example/",
        "data:application/json,{}",
        "//10.0.0.1/",
        "",
        "https://[::1",
        "https://titles.example/" + "a" * 3000,
    ],
)
def test_a_redirect_leads_nowhere_that_could_not_be_asked_at_once(location: str) -> None:
    fetcher = Fetcher(dev=True, resolver=lambda _host: ["169.254.169.254"])
    with (
        server(saying(redirecting(location))) as heard,
        pytest.raises((RefusedError, InputError, UnavailableError)) as refusal,
    ):
        get(heard.url, fetcher=fetcher, redirects=1)
    if location:
        assert refusal.value.code in ("REQUEST_INVALID", "MALFORMED", "TOO_LARGE")
    assert len(heard.requests) <= 2


def test_a_token_is_not_carried_to_another_host(honest: Heard) -> None:
    with server(saying(redirecting(honest.url))) as heard:
        for name in ("Authorization", "dpop"):
            with pytest.raises(RefusedError):
                get(heard.url, redirects=1, headers={name: "secret"})
    assert not honest.requests


# --- bounds of time -------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "speak",
    [
        silent,
        dripping(answer(b'{"a":1}' * 100)),
        dripping(HEAD + b"A: " + b"b" * 10_000),
        dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, seconds=0.01),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    ],
    ids=["silent", "body", "headers", "chunks", "continue", "endless continue"],
)
def test_every_request_ends_in_time(speak: Any) -> None:
    with server(speak) as heard:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="in time"):
            get(heard.url, fetcher=near(total_seconds=SHORT), max_bytes=10**6)
        assert time.monotonic() - began < SHORT + 1


def test_redirects_share_one_end() -> None:
    def speak(connection: socket.socket, _request: bytes) -> None:
        time.sleep(SHORT / 2)
        connection.sendall(redirecting("/again"))

    with server(speak) as heard:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="in time"):
            get(heard.url, fetcher=near(total_seconds=SHORT), redirects=3)
        assert time.monotonic() - began < SHORT + 1


def test_a_server_that_does_not_read_ends_in_time_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="in time"):
            near(total_seconds=SHORT).post(url, body=b"x" * 50_000_000, accept=JSON, max_bytes=1)
        assert time.monotonic() - began < SHORT + 1


def test_a_handshake_that_never_ends_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        fetcher = near(connect_seconds=SHORT)
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="in time"):
            get(url, fetcher=fetcher)
        assert time.monotonic() - began < SHORT + 1


def test_a_name_service_that_never_answers_is_not_waited_for() -> None:
    ended = threading.Event()

    def slow(_host: str) -> Sequence[str]:
        ended.wait(20)
        return []

    began = time.monotonic()
    with pytest.raises(UnavailableError, match="in time"):
        get("https://titles.example/", fetcher=Fetcher(resolver=slow, connect_seconds=SHORT))
    assert time.monotonic() - began < SHORT + 1
    ended.set()


# --- bounds of size -------------------------------------------------------------------------------


def too_large(url: str, **more: Any) -> None:
    with pytest.raises(InputError) as refusal:
        get(url, **more)
    assert refusal.value.code == "TOO_LARGE"


def test_a_body_has_a_cap() -> None:
    with server(saying(answer(b"x" * 1000))) as heard:
        assert len(get(heard.url).body) == 1000
    with server(saying(answer(b"x" * 1001))) as heard:
        too_large(heard.url)


@pytest.mark.parametrize(
    "speak",
    [
        endless(HEAD + b"\r\n", b"x" * 1000),
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        endless(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 1000),
    ],
    ids=["until it hangs up", "chunks", "a long length"],
)
def test_a_body_without_end_is_not_read_to_its_end(speak: Any) -> None:
    with server(speak) as heard:
        too_large(heard.url, max_bytes=100_000)


def test_headers_without_end_are_not_read_to_their_end() -> None:
    with server(endless(HEAD, b"A: " + b"b" * 1000 + b"\r\n")) as heard:
        with pytest.raises(UnavailableError) as refusal:
            get(heard.url)
        assert "HTTP" in refusal.value.message


def test_compression_is_undone_within_the_cap() -> None:
    with server(
        saying(answer(gzip.compress(b"x" * 1000, mtime=0), Content_Encoding="gzip"))
    ) as heard:
        assert get(heard.url).body == b"x" * 1000
    with server(
        saying(answer(gzip.compress(b"x" * 1001, mtime=0), Content_Encoding="gzip"))
    ) as heard:
        too_large(heard.url)


def test_a_bomb_does_not_go_off() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(bomb.compress(bytes(10**6)) for _ in range(50)) + bomb.flush()
    assert len(data) < 100_000
    with server(saying(answer(data, Content_Encoding="gzip"))) as heard:
        too_large(heard.url, max_bytes=10**6)


@pytest.mark.parametrize(
    ("data", "coding"),
    [
        (gzip.compress(b"{}", mtime=0)[:-1], "gzip"),
        (gzip.compress(b"{}", mtime=0) + b"\0", "gzip"),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0), "gzip"),
        (b"{}", "gzip"),
        (zlib.compress(b"{}"), "deflate"),
        (b"{}", "br"),
        (gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "gzip, gzip"),
        (b"{}", "unknown"),
    ],
)
def test_compression_that_is_odd_or_was_not_asked_for_is_refused(data: bytes, coding: str) -> None:
    with (
        server(saying(answer(data, Content_Encoding=coding))) as heard,
        pytest.raises(InputError) as refusal,
    ):
        get(heard.url)
    assert refusal.value.code == "MALFORMED"


# --- answers that are not what was asked for ------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=utf-8"])
def test_a_type_is_compared_without_its_parameters(kind: str) -> None:
    with server(saying(answer(kind=kind))) as heard:
        assert get(heard.url, accept=("application/jwt", JSON)).status == 200


@pytest.mark.parametrize(
    "kind", ["text/html", "text/plain", "application/jsonx", "application/problem+json", "", None]
)
def test_a_document_of_another_type_is_refused(kind: str | None) -> None:
    with server(saying(answer(kind=kind))) as heard, pytest.raises(UnavailableError):
        get(heard.url)


def test_a_page_of_a_network_that_wants_a_sign_in_is_never_a_document() -> None:
    page = answer(b"<html>Welcome</html>", kind="text/html; charset=utf-8")
    with server(saying(page)) as heard:
        with pytest.raises(UnavailableError) as refusal:
            get(heard.url, accept=ANY)
        assert "sign in" in refusal.value.hint


def test_an_answer_that_is_cut_anywhere_is_unavailable() -> None:
    whole = answer(b'{"a":1}')

    def speak(connection: socket.socket, request: bytes) -> None:
        connection.sendall(whole[: int(path_of(request)[1:])])
        connection.shutdown(socket.SHUT_RDWR)

    with server(speak) as heard:
        for length in range(len(whole)):
            with pytest.raises(UnavailableError) as refusal:
                get(f"{heard.url}/{length}")
            assert refusal.value.code == "DEPENDENCY_UNAVAILABLE"
            assert not refusal.value.is_unsent
        assert get(f"{heard.url}/{len(whole)}").body == b'{"a":1}'


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"SSH-2.0-Server\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        answer(b"{}", length=3),
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Content-Length: -2\r\n\r\n{}",
        HEAD + b"Content-Length: 2x\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_unavailable(data: bytes) -> None:
    with server(saying_and_leaving(data)) as heard, pytest.raises(UnavailableError):
        get(heard.url)


def test_a_place_where_nobody_listens_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(UnavailableError, match="cannot be reached") as refusal:
        get(url)
    assert refusal.value.is_unsent


# --- where nobody is called -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%eth0"],
        ["0.0.0.0"],  # noqa: S104
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["0177.0.0.1"],
        ["2130706433"],
        ["metadata"],
    ],
)
def test_a_name_that_leads_inside_is_not_called(honest: Heard, addresses: Sequence[str]) -> None:
    asked: list[str] = []

    def resolver(host: str) -> Sequence[str]:
        asked.append(host)
        return addresses

    fetcher = Fetcher(resolver=resolver, ports=[honest.port])
    with pytest.raises(RefusedError) as refusal:
        get(f"https://titles.example:{honest.port}/", fetcher=fetcher)
    assert refusal.value.code == "REQUEST_INVALID"
    assert asked == ["titles.example"]
    assert not honest.connections


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1"])
def test_a_literal_address_inside_is_not_called(honest: Heard, host: str) -> None:
    fetcher = Fetcher(resolver=nowhere, ports=[honest.port])
    with pytest.raises(RefusedError):
        get(f"https://{host}:{honest.port}/", fetcher=fetcher)
    assert not honest.connections


def test_a_name_that_leads_inside_is_not_called_in_development_either(honest: Heard) -> None:
    fetcher = Fetcher(dev=True, resolver=lambda _host: ["127.0.0.1"], ports=[honest.port])
    with pytest.raises(RefusedError):
        get(f"https://titles.example:{honest.port}/", fetcher=fetcher)
    assert not honest.connections


def test_a_name_without_an_address_is_unavailable() -> None:
    def unknown(_host: str) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    resolvers: list[Resolver] = [unknown, lambda _host: []]
    for resolver in resolvers:
        with pytest.raises(UnavailableError, match=r"titles\.example cannot be reached"):
            get("https://titles.example/", fetcher=Fetcher(resolver=resolver))


def test_messages_name_the_host_and_nothing_of_the_rest() -> None:
    with server(saying(answer(status=503))) as heard, pytest.raises(UnavailableError) as refusal:
        get(f"{heard.url}/offer/secret?code=secret")
    assert "secret" not in f"{refusal.value.message} {refusal.value.hint}"


# --- TLS ------------------------------------------------------------------------------------------


def test_a_server_proves_its_name(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    with server(saying(answer()), authority.context("titles.example")) as heard:
        fetcher = near(
            dev_hosts={"titles.example": heard.url, "other.example": heard.url},
            ca_file=authority.file,
        )
        assert get("https://titles.example/a", fetcher=fetcher).status == 200
        assert heard.names == ["titles.example"]
        with pytest.raises(UnavailableError, match=r"other\.example could not prove"):
            get("https://other.example/a", fetcher=fetcher)
        with pytest.raises(UnavailableError, match="could not prove"):
            get(f"{heard.url}/a", fetcher=fetcher)
    assert len(heard.requests) == 1


def test_another_authority_proves_nothing(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    other = make_authority(tmp_path, "Another authority")
    with server(saying(answer()), authority.context("titles.example")) as heard:
        for ca_file in (other.file, None):
            fetcher = near(dev_hosts={"titles.example": heard.url}, ca_file=ca_file)
            with pytest.raises(UnavailableError, match="could not prove") as refusal:
                get("https://titles.example/", fetcher=fetcher)
            assert refusal.value.is_unsent
    assert not heard.requests


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    context = authority.context("titles.example")
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA")  # without AEAD
    context.maximum_version = context.maximum_version.TLSv1_2
    with server(saying(answer()), context) as heard:
        fetcher = near(dev_hosts={"titles.example": heard.url}, ca_file=authority.file)
        with pytest.raises(UnavailableError):
            get("https://titles.example/", fetcher=fetcher)
    assert not heard.requests


def test_a_server_without_tls_is_not_asked(honest: Heard) -> None:
    with pytest.raises(UnavailableError):
        get(f"https://127.0.0.1:{honest.port}/", fetcher=near(connect_seconds=SHORT))
    assert not honest.requests


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_authorities_that_is_none_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnavailableError, match=r"ca\.pem"):
        get("https://titles.example/", fetcher=Fetcher(ca_file=file, resolver=nowhere))


# --- settings -------------------------------------------------------------------------------------


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Fetcher:
    for name in ("DEV", "DEV_HOSTS", "CA_FILE", "FETCH_PORTS"):
        monkeypatch.setenv(f"TALENTSEAL_{name}", values.get(name, ""))
    return fetcher_from_settings()


def test_settings_say_where_hosts_are_found(honest: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = f" a.example=http://127.0.0.1:1 , B.example=http://localhost:{honest.port}/"
    fetcher = settings(monkeypatch, DEV="1", DEV_HOSTS=hosts)
    assert get("https://b.example/", fetcher=fetcher).status == 200
    assert get(honest.url, fetcher=fetcher).status == 200


def test_settings_name_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = make_authority(tmp_path)
    with server(saying(answer()), authority.context("titles.example")) as heard:
        fetcher = settings(
            monkeypatch,
            DEV="1",
            DEV_HOSTS=f"titles.example={heard.url}",
            CA_FILE=str(authority.file),
        )
        assert get("https://titles.example/", fetcher=fetcher).status == 200


@pytest.mark.parametrize("dev", ["", "0", "true", "yes"])
def test_without_the_switch_nothing_of_development_is_done(
    honest: Heard, monkeypatch: pytest.MonkeyPatch, dev: str
) -> None:
    with pytest.raises(RefusedError):
        get(honest.url, fetcher=settings(monkeypatch, DEV=dev))
    with pytest.raises(UsageError):
        settings(monkeypatch, DEV=dev, DEV_HOSTS=f"titles.example={honest.url}")


@pytest.mark.parametrize(
    "hosts",
    ["titles.example", "=http://127.0.0.1:1", "titles.example=", "titles.example=127.0.0.1:1",
     "titles.example=http://10.0.0.1:1", "titles.example=https://other.example",
     "titles.example=http://127.0.0.1:1/path", "titles.example=http://0.0.0.0:1"],
)  # fmt: skip
def test_hosts_that_are_found_elsewhere_are_refused(
    monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    with pytest.raises(UsageError):
        settings(monkeypatch, DEV="1", DEV_HOSTS=hosts)


@pytest.mark.parametrize("ports", ["abc", "0", "65536", "-1", "8443;9443", "84 43"])
def test_ports_that_are_none_are_told(monkeypatch: pytest.MonkeyPatch, ports: str) -> None:
    with pytest.raises(UsageError):
        settings(monkeypatch, FETCH_PORTS=ports)
    assert settings(monkeypatch, FETCH_PORTS="8443, 9443")
