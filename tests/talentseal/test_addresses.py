import pytest
from hypothesis import given
from hypothesis import strategies as st

from talentseal.addresses import Target, is_public, parse_url
from talentseal.errors import InputError, RefusedError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://titles.example", Target("https", "titles.example", 443, "/")),
        ("HTTPS://Titles.Example/A?b=C", Target("https", "titles.example", 443, "/A?b=C")),
        ("https://titles.example?a=b/c@d", Target("https", "titles.example", 443, "/?a=b/c@d")),
        ("https://titles.example:443/a", Target("https", "titles.example", 443, "/a")),
        ("https://xn--fiqs8s.example/", Target("https", "xn--fiqs8s.example", 443, "/")),
        ("https://93.184.216.34/", Target("https", "93.184.216.34", 443, "/")),
        ("https://[2606:4700:0::1111]/", Target("https", "2606:4700::1111", 443, "/")),
    ],
)
def test_an_address_has_one_reading(url: str, expected: Target) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "titles.example",
        "//titles.example/",
        "file:///etc/hostname",
        "ftp://titles.example/",
        "https:///a",
        "https:/titles.example/",
        "https://user@titles.example/",
        "https://user:secret@titles.example/",
        "https://titles.example@127.0.0.1/",
        "https://titles.example\\@127.0.0.1/",
        "https://titles.example/a\\b",
        "https://titles.example/#fragment",
        "https://titles.example/ space",
        "https://titles.example/\n",
        "https://titles.example\r\nHost: a/",
        "https://titles.example:/",
        "https://titles.example:0/",
        "https://titles.example:0443/",
        "https://titles.example:443443/",
        "https://titles.example./",
        "https://.titles.example/",
        "https://titles..example/",
        "https://-titles.example/",
        "https://titles_.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 127 + "example/",
        "https://部门.example/",
        "https://xn--a.example/",
        "https://xn--Fiqs8s-.example/",
        "https://ab--c.example/",
        "https://titles.example%2f@a/",
        # this machine, in spellings that some reader understands
        "https://2130706433/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.1/",
        "https://127.0.0.0x1/",
        "https://0x7f000001/",
        "https://127.000.000.001/",
        "https://titles.example.1/",
        "https://①②⑦.0.0.1/",
        "https://[::1%25lo]/",
        "https://[::ffff:0x7f.1]/",
        "https://[127.0.0.1]/",
        "https://[]/",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_address(url: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_url(url)
    assert refusal.value.code == "MALFORMED"


def test_an_address_has_a_length() -> None:
    long = "https://titles.example/" + "a" * (2048 - 23)
    assert len(long) == 2048
    assert parse_url(long).path.endswith("a")
    with pytest.raises(InputError) as refusal:
        parse_url(long + "a")
    assert refusal.value.code == "TOO_LARGE"


@pytest.mark.parametrize(
    "url",
    [
        "http://titles.example/",
        "http://127.0.0.1/",
        "https://titles.example:8443/",
        "https://titles.example:22/",
        "https://localhost/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
    ],
)
def test_some_addresses_are_not_called(url: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        parse_url(url)
    assert refusal.value.code == "REQUEST_INVALID"


def test_a_port_is_called_where_it_is_listed() -> None:
    assert parse_url("https://titles.example:8443/", ports=[8443]).port == 8443
    with pytest.raises(RefusedError):
        parse_url("https://titles.example:8444/", ports=[8443])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost"])
def test_development_calls_this_machine_and_no_other_without_tls(host: str) -> None:
    assert parse_url(f"http://{host}:8701/a", loopback=True).port == 8701
    for elsewhere in ("titles.example", "10.0.0.1", "localhost.example", "0.0.0.0"):  # noqa: S104
        with pytest.raises(RefusedError):
            parse_url(f"http://{elsewhere}/", loopback=True)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.63.255.255",
     "192.167.255.255", "198.17.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111",
     "2001:200::1", "2a00::1", "64:ff9b::101:101"],
)  # fmt: skip
def test_the_whole_internet_reaches(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",  # noqa: S104
     "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
     "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
     "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:1.1.1.1",
     "::ffff:169.254.169.254", "::ffff:0:1.1.1.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
     "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::",
     "2002:a9fe:a9fe::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1",
     "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "", "titles.example", "127.1",
     "2130706433", "0x7f.0.0.1", "0177.0.0.1"],
)  # fmt: skip
def test_not_everybody_reaches(address: str) -> None:
    assert not is_public(address)


@given(st.text() | st.from_regex(r"https?://[a-z0-9.:@\[\]\\/?#-]{1,40}", fullmatch=True))
def test_whatever_is_given_is_an_address_or_an_error_of_ours(url: str) -> None:
    try:
        target = parse_url(url)
    except (InputError, RefusedError):
        return
    again = f"{target.scheme}://{target.authority}{target.path}"
    assert parse_url(again) == target
