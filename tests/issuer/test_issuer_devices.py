"""An issuer whose key lives in a signing device: SoftHSM2, which can be taken away."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from issuer_desk import BUREAU, TITLE, Bureau, forms
from postgres import both_databases
from registry_desk import SZ
from softhsm import PIN, Token, make_token

from talentseal import sdjwt
from talentseal.encoding import b64url_decode
from talentseal.errors import Exit, UnavailableError
from talentseal.keys import new_signer
from talentseal.reading import Evidence

NEW = ("keys", "new", "--entity-id", BUREAU, "--name", "en=Example Title Bureau")


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    return make_token(tmp_path / "hsm", monkeypatch)


@pytest.fixture
def equipped(newcomer: Bureau, token: Token) -> Bureau:
    """An enrolled issuer without any key file: its one key is in the device."""
    for name in ("keys", "dev-passphrase"):
        path = newcomer.home / "issuer" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    list_request(newcomer, *NEW, "--key", token.uri())
    newcomer.registry.ask("grant", "new", "--issuer", BUREAU, "--type", TITLE, "--territory", SZ)
    newcomer.registry.ask("publish")
    newcomer.enrol()
    return newcomer


def list_request(bureau: Bureau, *argv: str) -> None:
    """Make a key with a command, and let the registry answer its request."""
    request, answer = str(bureau.home / "bureau.jws"), str(bureau.home / "answer.json")
    bureau.ask(*argv, "--out", request)
    bureau.registry.ask(
        "issuer", "new", "--jurisdiction", SZ, "--request", request, "--out", answer
    )


def kid_of(document: Any) -> str:
    return str(sdjwt.parse(forms(document)["dc+sd-jwt"]).jws.header["kid"])


def held_keys(bureau: Bureau) -> list[Any]:
    found: list[Any] = bureau.ask("keys", "list")["keys"]
    return found


@both_databases
def test_an_issuer_whose_key_is_in_the_device_seals_and_revokes(
    equipped: Bureau, token: Token
) -> None:
    (key,) = held_keys(equipped)
    assert key["uri"].startswith(token.uri())
    assert key["uri"] in equipped.run("keys", "list").out
    document = equipped.seal("--holder-jwk", equipped.keys(new_signer(), new_signer()))
    held = forms(document)
    shown = (
        Evidence(text=held["dc+sd-jwt"]),
        Evidence(code=b64url_decode(held["talentseal_cwt"])),
    )
    assert kid_of(document) == key["kid"]
    assert [equipped.outcome(one)[1] for one in shown] == [[], []]
    equipped.ask("revoke", document["id"], "--reason", "rescinded")
    assert [one["state"] for one in equipped.registry.ask("publish")["orders"]] == ["applied"]
    equipped.sync()
    assert all("REVOKED" in equipped.outcome(one)[1] for one in shown)
    assert not (equipped.home / "issuer" / "keys").exists()


def test_a_device_that_is_lost_stops_sealing_and_nothing_else(
    equipped: Bureau, token: Token
) -> None:
    first, taken = equipped.seal("--paper"), equipped.taken()
    token.take_away()
    for _ in range(3):
        code, problem = equipped.refused_seal("--paper")
        assert (code, problem["code"]) == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
        assert token.label in problem["title"]
        assert PIN not in json.dumps(problem)
    assert equipped.refused("revoke", first["id"], "--reason", "lapsed") == (
        Exit.UNAVAILABLE,
        "DEPENDENCY_UNAVAILABLE",
    )
    assert equipped.taken() <= taken + 1, "only the act that met the loss has used up an index"
    assert equipped.rows("SELECT state FROM certificate") == [("valid",)]
    assert [row["id"] for row in equipped.ask("list")["certificates"]] == [first["id"]]
    code_form = Evidence(code=b64url_decode(forms(first)["talentseal_cwt"]))
    assert equipped.outcome(code_form) == ("accept", [])
    token.bring_back()
    assert equipped.seal("--paper")["id"]
    equipped.ask("revoke", first["id"], "--reason", "lapsed")


def test_a_running_issuer_seals_again_when_the_device_is_back(
    equipped: Bureau, token: Token
) -> None:
    from issuer.office import Office

    office = Office.here()
    (kid,) = [row["kid"] for row in held_keys(equipped)]
    signer = office.signer(kid)
    assert signer.sign(b"before")
    token.take_away()
    with pytest.raises(UnavailableError):
        signer.sign(b"away")
    with pytest.raises(UnavailableError):
        office.signer(kid)
    token.bring_back()
    assert office.signer(kid).public.verify(signer.sign(b"after"), b"after")


def test_a_wrong_pin_is_said_once_the_right_one_is_needed(equipped: Bureau, token: Token) -> None:
    from talentseal.pkcs11 import _device

    _device(token.module).begin_anew()  # as a new process would
    token.write_pin("000000")
    code, problem = equipped.refused_seal("--paper")
    assert code == Exit.UNAVAILABLE
    assert "PIN" in problem["title"]
    assert "000000" not in json.dumps(problem)
    token.write_pin()
    assert equipped.seal("--paper")["id"]


def test_a_key_in_the_device_is_rotated_beside_one_in_a_file(
    equipped: Bureau, token: Token
) -> None:
    del token
    list_request(equipped, "keys", "rotate")
    first, second = held_keys(equipped)
    assert [first["enrolled"], second["enrolled"]] == [True, False]
    assert first["uri"].split(";id=")[0] == second["uri"].split(";id=")[0]
    assert first["uri"] != second["uri"]
    equipped.registry.ask("grant", "renew", "--issuer", BUREAU)
    equipped.registry.ask("publish")
    equipped.enrol()
    sealed = equipped.seal("--holder-jwk", equipped.keys(new_signer()))
    assert kid_of(sealed) == second["kid"]


@pytest.mark.parametrize(
    "options",
    [
        ("--key", "pkcs11:token=absent;object=sealing"),
        ("--key", "kms:projects/p"),
        ("--key", "pkcs11:token=t;object=sealing?pin-value=836152"),
        ("--dev", "--key", "pkcs11:token=t;object=sealing"),
        ("--alg", "RS256", "--key", "pkcs11:token=t;object=sealing"),
    ],
)
def test_a_key_that_cannot_be_made_leaves_no_trace(
    newcomer: Bureau, token: Token, options: tuple[str, ...]
) -> None:
    del token
    ran = newcomer.run(*NEW, *options)
    assert ran.code != Exit.OK
    assert PIN not in ran.out + ran.err
    assert held_keys(newcomer) == []


def test_a_device_without_settings_is_asked_for_its_module(
    newcomer: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALENTSEAL_PKCS11_MODULE", raising=False)
    ran = newcomer.run(*NEW, "--key", "pkcs11:token=t;object=sealing")
    assert ran.code in (Exit.USAGE, Exit.UNAVAILABLE)
    assert "TALENTSEAL_PKCS11_MODULE" in ran.err or "hsm" in ran.err
