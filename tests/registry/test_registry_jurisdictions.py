import json
from hashlib import sha256

import pytest
from registry_desk import HK, SZ, Desk

from talentseal.artefacts import CA, SignedFiles, parse_peer, parse_root
from talentseal.compiling import peer_root
from talentseal.errors import Exit

MO = ("MO", "--entity-id", "https://trust.mo.example", "--name", "en=Macao Example")


def root_of(desk: Desk, folder: str) -> bytes:
    return (desk.public / folder / "metadata" / "1.root.json").read_bytes()


def test_the_root_names_keys_places_and_that_it_is_for_development(desk: Desk) -> None:
    info, version = parse_root(root_of(desk, "CN-4403"))
    assert version == 1
    assert (info.jurisdiction, info.entity_id) == (SZ, "https://trust.sz.example")
    assert (info.dev, info.territory, info.namespaces) == (True, [SZ], ["sz.example"])
    assert len(info.statement_keys) == len(info.list_jkt) == len(info.ca_s256) == 1


def test_root_and_targets_need_two_of_three_officers(desk: Desk) -> None:
    signed = json.loads(root_of(desk, "CN-4403"))["signed"]
    for role in ("root", "targets"):
        assert len(signed["roles"][role]["keyids"]) == 3
        assert signed["roles"][role]["threshold"] == 2
    assert signed["consistent_snapshot"] is True
    keys = [set(signed["roles"][r]["keyids"]) for r in ("root", "targets", "snapshot", "timestamp")]
    assert len(set.union(*keys)) == 8  # nobody signs for two roles


def test_the_fingerprint_told_is_that_of_the_published_root(desk: Desk) -> None:
    told = desk.ask("jurisdiction", "show", HK)["root_s256"]
    assert told == sha256(root_of(desk, "HK")).hexdigest()


def test_the_published_authority_is_the_one_that_the_root_names(desk: Desk) -> None:
    info, _ = parse_root(root_of(desk, "CN-4403"))
    files = {path: data for path, data in desk.read(SZ).items() if path.startswith(CA)}
    assert {sha256(data).hexdigest() for data in files.values()} == info.ca_s256


def test_jurisdictions_introduce_each_other(desk: Desk) -> None:
    files = desk.read(SZ)
    peer = parse_peer(files["peers/HK/peer.json"])
    info, version = parse_root(root_of(desk, "CN-4403"))
    assert (peer.jurisdiction, list(peer.namespaces)) == (HK, ["hk.example"])
    assert peer_root(SignedFiles(info, version, 1, 1, 0, files), peer) == root_of(desk, "HK")


def test_a_new_jurisdiction_is_introduced_by_all_others_at_once(desk: Desk) -> None:
    desk.ask("jurisdiction", "new", *MO, "--namespace", "mo.example")
    assert "peers/MO/peer.json" in desk.read(SZ)
    assert "peers/CN-4403/root.json" in desk.read("MO")


@pytest.mark.parametrize("space", ["sz.example", "deep.sz.example"])
def test_no_two_jurisdictions_share_a_name_space(desk: Desk, space: str) -> None:
    argv = ("MO", "--entity-id", f"https://other.{space}", "--name", "en=Other Example")
    refused = desk.refused("jurisdiction", "new", *argv, "--namespace", space)
    assert refused == (Exit.REFUSE, "NAMESPACE_OVERLAP")
    assert len(desk.ask("jurisdiction", "list")) == 2


@pytest.mark.parametrize(
    "argv",
    [
        (SZ, "--entity-id", "https://new.mo.example", "--name", "en=Twice"),
        ("CN/4", "--entity-id", "https://new.mo.example", "--name", "en=No place"),
        ("CN/4403/x-qianhai", "--entity-id", "https://new.mo.example", "--name", "en=A zone"),
        ("MO", "--entity-id", "http://new.mo.example", "--name", "en=Not https"),
        ("MO", "--entity-id", "https://elsewhere.example", "--name", "en=Outside"),
        ("MO", "--entity-id", "https://new.mo.example", "--name", "pt=Sem ingles"),
        ("MO", "--entity-id", "https://new.mo.example"),
        ("MO", "--entity-id", "https://a.example", "--name", "en=x", "--namespace", "example"),
        ("MO", "--entity-id", "https://new.mo.example", "--name", "en"),
        ("MO", "--entity-id", "https://new.mo.example", "--name", f"en={'long' * 40}"),
        ("MO", "--entity-id", "https://new.mo.example", "--name", "en=x", "--territory", "HK"),
    ],
)
def test_an_impossible_jurisdiction_is_refused(desk: Desk, argv: tuple[str, ...]) -> None:
    space = () if "--namespace" in argv else ("--namespace", "mo.example")
    code, _ = desk.refused("jurisdiction", "new", *argv, *space)
    assert code == Exit.USAGE
    assert len(desk.ask("jurisdiction", "list")) == 2


def test_an_unknown_jurisdiction_is_not_found(desk: Desk) -> None:
    assert desk.refused("jurisdiction", "show", "MO") == (Exit.USAGE, "NOT_FOUND")
