import pytest

from talentseal import links
from talentseal.errors import InputError


@pytest.mark.parametrize(
    ("identifier", "place"),
    [
        ("https://h.example", "https://h.example/.well-known/x"),
        ("https://h.example/", "https://h.example/.well-known/x"),
        ("https://h.example/t/a", "https://h.example/.well-known/x/t/a"),
        ("https://h.example:8443/t/", "https://h.example:8443/.well-known/x/t"),
    ],
)
def test_a_well_known_place_goes_between_host_and_path(identifier: str, place: str) -> None:
    assert links.well_known(identifier, "x", dev=False) == place


def test_an_identifier_has_no_query() -> None:
    with pytest.raises(InputError):
        links.well_known("https://h.example/a?b=c", "x", dev=False)


BAD_URLS = [
    "",
    "h.example",
    "http://h.example/",
    "ftp://h.example/",
    "https:///path",
    "https://user@h.example/",
    "https://user:word@h.example/",
    "https://h.example/#fragment",
    "https://h.example#",
    "https://h.example:port/",
    "https://h.example:99999/",
    "https://h.example/a b",
    "https://h.example\\@evil.example/",
    "https://h.example/\x00",
    "https://h\u00e9.example/",
    "https://[::1/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://h.example/" + "a" * 2048,
]


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("dev", [False, True])
def test_what_is_no_plain_https_url_is_refused(url: str, *, dev: bool) -> None:
    with pytest.raises(InputError):
        links.check_url(url, dev=dev)


def test_http_is_for_this_machine_under_the_development_switch() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        url = f"http://[{host}]:1/a" if ":" in host else f"http://{host}:1/a"
        assert links.check_url(url, dev=True) == host
        with pytest.raises(InputError):
            links.check_url(url, dev=False)
    assert links.check_url("https://h.example:8443/a?b=c", dev=False) == "h.example"


def test_a_link_comes_back_as_it_was_made() -> None:
    parameters = {"a": "https://h.example/x?y=z&w", "b": "\u6df1\u5733 %", "c": ""}
    link = links.make_link("openid4vp", parameters)
    assert links.parameters_of(link, {"openid4vp"}) == parameters
    assert links.parameters_of(link.replace("openid4vp", "OPENID4VP"), {"openid4vp"}) == parameters


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("", "MALFORMED"),
        ("other://?a=b", "MALFORMED"),
        ("openid4vp://?a=1&a=2", "MALFORMED"),
        ("openid4vp://?a=%FF", "MALFORMED"),
        ("openid4vp://?a=\u6df1", "MALFORMED"),
        ("openid4vp://?a=\n", "MALFORMED"),
        ("openid4vp://?" + "&".join(f"a{i}=1" for i in range(65)), "MALFORMED"),
        ("openid4vp://?a=" + "b" * links.MAX_LINK_CHARS, "TOO_LARGE"),
    ],
    ids=range(8),
)
def test_a_link_that_can_be_read_in_two_ways_is_refused(link: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        links.parameters_of(link, {"openid4vp"})
    assert caught.value.code == code


def test_a_fragment_is_no_part_of_the_parameters() -> None:
    assert links.parameters_of("openid4vp://?a=1#b=2", {"openid4vp"}) == {"a": "1"}
