"""Stories about status: what is revoked stays revoked, and a doubtful list clears nobody."""

import zlib
from dataclasses import replace
from typing import Any

import pytest
from forging import reseal, reseal_code, result_of, said
from simulator import DAY, HOUR, MOUNT, Held, Office, World, key

from talentseal import cwt, x509
from talentseal.artefacts import STATUS, SignedFiles
from talentseal.bundle import Bundle
from talentseal.keys import Signer
from talentseal.status_list import ChunkedList, seal_status_cwt, seal_status_jwt


def token(office: Office, form: str = "cwt", **changes: Any) -> bytes:
    """A status list of the office, honest but for what is changed."""
    now = office.world.now
    values: dict[str, Any] = {
        "uri": office.status_uri, "bits": 2, "compressed": office.list.compressed(),
        "issued_at": now, "expires_at": now + 7 * DAY, "signer": office.status_key, **changes,
    }  # fmt: skip
    chain = office.provider.chain
    if form == "jwt":
        return seal_status_jwt(**values, x5c=x509.chain_text(chain))
    return seal_status_cwt(**values, x5chain=[x509.der_of(c) for c in chain])


def served(office: Office, **tokens: bytes | None) -> SignedFiles:
    """The office's files with other status tokens in place of its own."""
    files = office.files()
    kept = {
        path: data for path, data in files.targets.items() if path not in office.status_tokens()
    }
    given = {
        f"{STATUS}{office.list_id}.{form}": data
        for form, data in tokens.items()
        if data is not None
    }
    return replace(files, targets={**kept, **given})


def bundle_of(world: World, data: bytes | None, form: str = "cwt") -> Bundle:
    return world.bundle(files={"CN/9999": served(world.city, **{form: data})})


@pytest.mark.parametrize(("value", "code"), [(1, "REVOKED"), (2, "SUSPENDED")])
def test_a_revoked_certificate_cannot_be_shown_in_any_form(
    world: World, value: int, code: str
) -> None:
    title, other = world.city.issue(), world.city.issue(to="lin")
    world.city.set_status(title, value)
    bundle = world.bundle()
    for shown in (title.text, title.code, title.live(at=world.now)):
        assert said(world.check(shown, bundle=bundle)) == ("refuse", [code])
    assert said(world.check(other, bundle=bundle)) == ("accept", [])


def test_a_value_without_agreed_meaning_is_no_clearance(world: World) -> None:
    title = world.city.issue()
    world.city.set_status(title, 3)
    assert said(world.check(title)) == ("refer", ["STATUS_VALUE_UNKNOWN"])


def _of_another_list(office: Office, form: str) -> bytes:
    return token(office, form, uri=f"{office.status_prefix}another")


def _of_another_jurisdiction(office: Office, form: str) -> bytes:
    return token(office, form, signer=office.world.hk.status_key)


def _by_the_issuer(office: Office, form: str) -> bytes:
    return token(office, form, signer=office.bodies["bureau"].signer)


def _by_the_root(office: Office, form: str) -> bytes:
    return token(office, form, signer=office.statement_key)


def _by_the_list_office(office: Office, form: str) -> bytes:
    return token(office, form, signer=office.list_key)


class _Impostor:
    """Signs with its own key under the provider's name."""

    def __init__(self, office: Office) -> None:
        self.public = office.status_key.public

    def sign(self, message: bytes) -> bytes:
        return key("impostor").sign(message)


def _under_a_borrowed_name(office: Office, form: str) -> bytes:
    impostor: Signer = _Impostor(office)
    return token(office, form, signer=impostor)


def _bomb(office: Office, form: str) -> bytes:
    return token(office, form, compressed=zlib.compress(bytes(40 * 1024 * 1024), 9))


def _cut(office: Office, form: str) -> bytes:
    return token(office, form, compressed=office.list.compressed()[:-5])


def _with_junk(office: Office, form: str) -> bytes:
    return token(office, form, compressed=office.list.compressed() + b"junk")


def _of_three_bits(office: Office, form: str) -> bytes:
    return token(office, form, bits=3)


def _without_time_to_live(office: Office, form: str) -> bytes:
    return token(office, form, ttl=0)


def _from_the_future(office: Office, form: str) -> bytes:
    return token(office, form, issued_at=office.world.now + HOUR)


def _past_its_end(office: Office, form: str) -> bytes:
    now = office.world.now
    return token(office, form, issued_at=now - 2 * DAY, expires_at=now - DAY)


def _too_old(office: Office, form: str) -> bytes:
    now = office.world.now
    return token(office, form, issued_at=now - 8 * DAY, expires_at=now + DAY)


def _a_web_page(office: Office, form: str) -> bytes:
    del office, form
    return b"<!doctype html><title>Sign in to the airport network</title>"


def _nothing(office: Office, form: str) -> None:
    del office, form


@pytest.mark.parametrize("form", ["cwt", "jwt"])
@pytest.mark.parametrize(
    ("act", "code"),
    [
        (_of_another_list, "STATUS_MISMATCH"),
        (_of_another_jurisdiction, "STATUS_SIGNER"),
        (_by_the_issuer, "STATUS_SIGNER"),
        (_by_the_root, "STATUS_SIGNER"),
        (_by_the_list_office, "STATUS_SIGNER"),
        (_under_a_borrowed_name, "STATUS_SIGNATURE"),
        (_bomb, "STATUS_MALFORMED"),
        (_cut, "STATUS_MALFORMED"),
        (_with_junk, "STATUS_MALFORMED"),
        (_of_three_bits, "STATUS_MALFORMED"),
        (_without_time_to_live, "STATUS_MALFORMED"),
        (_from_the_future, "STATUS_MALFORMED"),
        (_past_its_end, "STATUS_STALE"),
        (_too_old, "STATUS_STALE"),
        (_a_web_page, "STATUS_MALFORMED"),
        (_nothing, "STATUS_UNAVAILABLE"),
    ],
)
def test_a_doubtful_list_neither_clears_nor_condemns(
    calm: World, act: Any, code: str, form: str
) -> None:
    title = calm.city.issue()
    bundle = bundle_of(calm, act(calm.city, form), form)
    for shown in (title, title.code):
        verdict = calm.check(shown, bundle=bundle)
        assert said(verdict) == ("refer", [code])
        assert result_of(verdict, "status") == [("unknown", code)]


def test_one_good_form_beside_a_broken_one_is_enough(world: World) -> None:
    title = world.city.issue()
    both = served(world.city, cwt=b"broken", jwt=token(world.city, "jwt"))
    assert said(world.check(title, bundle=world.bundle(files={"CN/9999": both})))[0] == "accept"


def test_a_list_grows_too_old_while_it_is_held(world: World) -> None:
    title, bundle = world.city.issue(), world.bundle()
    world.turn(7 * DAY + 1)
    verdict = world.check(title, bundle=bundle)
    assert verdict.outcome == "refer"
    assert "STATUS_STALE" in verdict.codes


def test_a_provider_whose_right_was_withdrawn_clears_nobody(world: World) -> None:
    title = world.city.issue()
    world.city.withdraw(world.city.provider.grants[0], "from", world.start)
    verdict = world.check(title)
    assert verdict.outcome == "refer"
    assert result_of(verdict, "status")[0][0] == "unknown"


# --- the reference --------------------------------------------------------------------------------


def _shown(held: Held, form: str, status: Any) -> str | bytes:
    if form == "text":
        return reseal(held, payload={"status": status})
    return reseal_code(held, claims={cwt.STATUS: status})


@pytest.mark.parametrize("form", ["text", "code"])
@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ({"idx": "7"}, "CLAIM_INVALID"),
        ({"idx": -1}, "CLAIM_INVALID"),
        ({"idx": True}, "CLAIM_INVALID"),
        ({"idx": None}, "CLAIM_INVALID"),
        ({"idx": [7]}, "CLAIM_INVALID"),
        ({"uri": "http://registry.example/status/cn-9999-1"}, "CLAIM_INVALID"),
        ({"uri": "file:///etc/passwd"}, "CLAIM_INVALID"),
        ({"uri": 7}, "CLAIM_INVALID"),
        ({"uri": "https://registry.example/" + "a" * 3000}, "*"),
        ({"idx": 2**12}, "STATUS_INDEX_OUT_OF_RANGE"),
        ({"idx": 2**53 - 1}, "STATUS_INDEX_OUT_OF_RANGE"),
        ({"uri": "https://127.0.0.1/status/list"}, "STATUS_MISMATCH"),
        ({"uri": "https://status.mallory.example/1"}, "STATUS_MISMATCH"),
        ({"uri": f"{MOUNT}/status/another"}, "STATUS_UNAVAILABLE"),
        ({"uri": f"{MOUNT}/status/hk-1"}, "STATUS_UNAVAILABLE"),
    ],
)
def test_a_reference_leads_to_the_named_list_or_nowhere(
    calm: World, city_bundle: Bundle, form: str, reference: dict[str, Any], code: str
) -> None:
    held = calm.city.issue()
    honest = {"idx": held.index, "uri": calm.city.status_uri}
    shown = _shown(held, form, {"status_list": {**honest, **reference}})
    verdict = calm.check(shown, bundle=city_bundle)
    if code == "*":
        assert verdict.outcome == "refuse"
        return
    outcome = "refer" if code in ("STATUS_MISMATCH", "STATUS_UNAVAILABLE") else "refuse"
    assert said(verdict) == (outcome, [code])


@pytest.mark.parametrize("status", [7, [], "x", {}, {"status_list": None}, {"other": {}}])
def test_a_reference_of_another_shape_is_refused(
    calm: World, city_bundle: Bundle, status: Any
) -> None:
    held = calm.city.issue()
    for form in ("text", "code"):
        verdict = calm.check(_shown(held, form, status), bundle=city_bundle)
        assert said(verdict) == ("refuse", ["CLAIM_INVALID"])


def test_a_type_that_must_be_revocable_cannot_do_without_a_list(
    calm: World, city_bundle: Bundle
) -> None:
    held = calm.city.issue()
    text = calm.check(reseal(held, drop=["status"]), bundle=city_bundle)
    code = calm.check(reseal_code(held, drop=[cwt.STATUS]), bundle=city_bundle)
    assert said(text) == ("refuse", ["STATUS_MISSING"])
    assert said(code) == ("refuse", ["CLAIM_MISSING"])


def test_a_null_reference_is_none(calm: World, city_bundle: Bundle) -> None:
    held = calm.city.issue()
    verdict = calm.check(reseal(held, payload={"status": None}), bundle=city_bundle)
    assert verdict.outcome == "refuse"


def test_status_is_not_asked_of_what_has_expired(world: World) -> None:
    title = world.city.issue(exp=world.start + DAY)
    world.city.set_status(title, 1)
    world.turn(3 * DAY)
    verdict = world.check(title)
    assert said(verdict) == ("refuse", ["EXPIRED"])
    assert result_of(verdict, "status") == [("not_applicable", "NOT_APPLICABLE")]


def test_every_entry_width_packs_from_the_least_significant_bit(world: World) -> None:
    for bits in (1, 2, 4, 8):
        listed = ChunkedList(entries=2**12, bits=bits)
        title = world.city.issue()
        listed.set(title.index, 1)
        data = token(world.city, bits=bits, compressed=listed.compressed())
        assert said(world.check(title, bundle=bundle_of(world, data))) == ("refuse", ["REVOKED"])
