"""Stories about keys: found in the registry and nowhere else, and only as good as their times."""

from dataclasses import replace

import pytest
from forging import reseal, reseal_code, result_of, said
from simulator import DAY, HOUR, YEAR, Body, Office, World, key

from talentseal import x509
from talentseal.bundle import Bundle, combine
from talentseal.compiling import compile_part, peers_of

MALLORY = key("mallory")


def test_an_issuer_that_nobody_lists_is_unknown(world: World) -> None:
    stranger = Body("ghost", "https://ghost.city.example", "issuer", MALLORY)
    stranger.chain = world.city.chain_for(stranger.entity_id, MALLORY)
    world.city.bodies["ghost"] = stranger
    forged = world.city.issue(by="ghost")
    del world.city.bodies["ghost"]
    for shown in (forged, forged.code):
        verdict = world.check(shown)
        assert said(verdict) == ("refuse", ["ISSUER_UNKNOWN"])
        assert verdict.credential is None


def test_a_key_that_a_known_issuer_does_not_list_is_unknown(world: World) -> None:
    chain = world.city.chain_for(world.city.bodies["bureau"].entity_id, MALLORY)
    forged = world.city.issue(signer=MALLORY, x5c=x509.chain_text(chain))
    for shown in (forged, forged.code):
        assert said(world.check(shown)) == ("refuse", ["KEY_UNKNOWN"])


def test_another_key_under_a_known_name_seals_nothing(world: World) -> None:
    honest = world.city.issue()
    assert said(world.check(honest)) == ("accept", [])
    for shown in (reseal(honest, signer=MALLORY), reseal_code(honest, signer=MALLORY)):
        verdict = world.check(shown)
        assert said(verdict) == ("refuse", ["SIGNATURE_INVALID"])
        assert verdict.credential is None


def test_a_listed_key_cannot_speak_under_another_issuers_name(world: World) -> None:
    station = world.city.bodies["station"]
    honest = world.city.issue(by="bureau")
    named = {"kid": station.signer.public.kid, "x5c": station.x5c}
    forged = reseal(honest, header=named, signer=station.signer)
    assert said(world.check(forged)) == ("refuse", ["KEY_UNKNOWN"])


@pytest.mark.parametrize(
    "iss",
    [
        "https://BUREAU.city.example",
        "https://bureau.city.example/",
        "https://bureau.city.example.",
        "https://bureau.city.example:443",
        "https://bureаu.city.example",
        "https://mallory@bureau.city.example",
        "https://bureau.city.example\x00",
        "http://bureau.city.example",
        " https://bureau.city.example",
        "bureau.city.example",
        "",
    ],
)
def test_an_issuers_name_has_exactly_one_spelling(
    calm: World, city_bundle: Bundle, iss: str
) -> None:
    honest = calm.city.issue()
    for shown in (reseal(honest, payload={"iss": iss}), reseal_code(honest, claims={1: iss})):
        assert said(calm.check(shown, bundle=city_bundle)) == ("refuse", ["ISSUER_UNKNOWN"])


@pytest.mark.parametrize("iss", [None, 7, True, ["https://bureau.city.example"], {"id": "x"}])
def test_an_issuers_name_is_a_text(calm: World, city_bundle: Bundle, iss: object) -> None:
    honest = calm.city.issue()
    for shown in (reseal(honest, payload={"iss": iss}), reseal_code(honest, claims={1: iss})):
        assert said(calm.check(shown, bundle=city_bundle)) == ("refuse", ["CLAIM_INVALID"])


# --- times ----------------------------------------------------------------------------------------


def test_a_retired_key_seals_nothing_more(world: World) -> None:
    before = world.city.issue()
    world.turn(2 * HOUR)
    world.city.key_event(world.city.bodies["bureau"], "retired", world.now)
    after = world.city.issue()
    for form in ("text", "code"):
        assert said(world.check(getattr(before, form))) == ("accept", [])
        assert said(world.check(getattr(after, form))) == ("refuse", ["KEY_RETIRED_BEFORE_SIGNING"])


def test_an_honest_rotation_leaves_old_certificates_good(world: World) -> None:
    old = world.city.issue()
    bureau, fresh = world.city.bodies["bureau"], key("bureau's next key")
    bureau.keys = [
        replace(bureau.keys[0], sign_until=world.now + HOUR),
        world.city.listed(fresh, nbf=world.now),
    ]
    bureau.grants.clear()
    keys = [bureau.signer.public.kid, fresh.public.kid]
    world.city.grant(bureau, jkt=keys)
    world.turn(3 * HOUR)
    chain = x509.chain_text(world.city.chain_for(bureau.entity_id, fresh))
    assert said(world.check(old)) == ("accept", [])
    assert said(world.check(world.city.issue(signer=fresh, x5c=chain))) == ("accept", [])
    assert said(world.check(world.city.issue())) == ("refuse", ["KEY_RETIRED_BEFORE_SIGNING"])


def test_a_key_cannot_seal_before_its_time(world: World) -> None:
    bureau = world.city.bodies["bureau"]
    bureau.keys[0] = replace(bureau.keys[0], nbf=world.now - DAY)
    assert said(world.check(world.city.issue())) == ("accept", [])
    backdated = world.city.issue(at=world.now - 2 * DAY)
    assert said(world.check(backdated)) == ("refuse", ["KEY_NOT_YET_VALID"])


def test_a_stolen_key_cannot_backdate_nor_reuse_a_live_index(world: World) -> None:
    honest = world.city.issue(at=world.now - 30 * DAY)
    assert said(world.check(honest)) == ("accept", [])
    world.city.key_event(world.city.bodies["bureau"], "compromised", world.now - DAY)

    backdated = world.city.issue(at=world.now - 60 * DAY)
    reused = world.city.issue(at=world.now - 30 * DAY, status_index=honest.index)

    for forged in (backdated, reused):
        for shown in (forged, forged.code):
            assert said(world.check(shown)) == ("refuse", ["KEY_COMPROMISED"])


def test_survivors_of_a_theft_wait_for_the_list_that_names_them(world: World) -> None:
    from talentseal import statements

    bureau = world.city.bodies["bureau"]
    title = world.city.issue(at=world.now - 30 * DAY)
    event = statements.seal_key_event(
        signer=world.city.statement_key, iss=world.city.entity_id, sub=bureau.entity_id,
        jti="k-survivors", iat=world.now, jkt=bureau.signer.public.kid, event="compromised",
        at=world.now, reason="fictional", survivors_s256="0" * 64,
    )  # fmt: skip
    bureau.statements.append(event)
    verdict = world.check(title)
    assert said(verdict) == ("refer", ["SURVIVORS_UNAVAILABLE"])
    assert verdict.questions["authentic"] == "unknown"
    assert verdict.to_json()["credential"]["claims"] == {}
    world.city.set_status(title, 1)
    for shown in (title, title.code):
        assert said(world.check(shown)) == ("refuse", ["SURVIVORS_UNAVAILABLE", "REVOKED"])


def test_namesakes_of_a_key_hint_cannot_crowd_out_the_issuer_s_own_key(world: World) -> None:
    """A hint is eight bytes, or a thumbprint that another body lists as well: neither is a name."""
    honest = world.city.issue()
    home, *others = [
        compile_part(office.files(), None, now=world.now) for office in world.offices.values()
    ]
    bureau = world.city.bodies["bureau"]
    (own,) = [entry for entry in home.keys if entry.iss == bureau.entity_id]
    crowd = [own._replace(iss=f"https://namesake{n}.city.example") for n in range(40)]
    for listed in ([*crowd, own], [own, *crowd]):
        part = home._replace(keys=[*listed, *(k for k in home.keys if k is not own)])
        bundle = Bundle(combine("CN/9999", [part, *others], []))
        for shown in (honest, honest.code):
            assert said(world.check(shown, bundle=bundle)) == ("accept", [])


def test_a_key_event_by_a_stranger_harms_no_key(world: World) -> None:
    from talentseal import statements

    bureau = world.city.bodies["bureau"]
    event = statements.seal_key_event(
        signer=world.hk.statement_key, iss=world.hk.entity_id, sub=bureau.entity_id,
        jti="k-stranger", iat=world.now, jkt=bureau.signer.public.kid, event="compromised",
        at=world.now - DAY, reason="fictional",
    )  # fmt: skip
    bureau.statements.append(event)
    assert said(world.check(world.city.issue())) == ("accept", [])


def test_old_trust_data_cannot_call_a_new_key_a_forgery(world: World) -> None:
    old = world.bundle()
    world.turn(2 * DAY)
    world.city.grant(world.city.body("street"))
    world.turn(DAY)
    permit = world.city.issue("permit-01", by="street")
    assert said(world.check(permit)) == ("accept", [])

    for shown in (permit, permit.code):
        verdict = world.check(shown, bundle=old)
        assert said(verdict) == ("refer", ["ISSUER_UNKNOWN"])

    rotated = world.city.issue(signer=MALLORY)
    assert said(world.check(rotated.code, bundle=old)) == ("refer", ["KEY_UNKNOWN"])
    assert result_of(world.check(rotated.code, bundle=old), "issuer_key") == [
        ("unknown", "KEY_UNKNOWN")
    ]


# --- jurisdictions --------------------------------------------------------------------------------


def _namesake(world: World, *, signer: object = None) -> Body:
    """Hong Kong lists a body under the name of the city's bureau."""
    bureau = world.city.bodies["bureau"]
    body = Body("namesake", bureau.entity_id, "issuer", signer or key("namesake"))  # type: ignore[arg-type]
    body.chain = world.hk.chain_for(body.entity_id, body.signer)
    body.keys.append(world.hk.listed(body.signer))
    world.hk.bodies["namesake"] = body
    world.hk.grant(body)
    return body


def test_a_jurisdiction_cannot_list_an_issuer_in_anothers_name_space(world: World) -> None:
    world.hk.grant(world.hk.body("bureau-of-the-city"))
    body = world.hk.bodies["bureau-of-the-city"]
    body.entity_id = "https://bureau2.city.example"
    body.chain = world.hk.chain_for(body.entity_id, body.signer)
    body.grants.clear()
    world.hk.grant(body)
    forged = world.hk.issue("qual-01", by="bureau-of-the-city")
    for shown in (forged, forged.code):
        assert said(world.check(shown)) == ("refuse", ["ISSUER_OUTSIDE_NAMESPACE"])


def test_a_name_space_that_home_did_not_introduce_does_not_count(world: World) -> None:
    # Hong Kong widens its own root; the city's introduction still names one name space.
    files = world.hk.files()
    wide = replace(files.root, namespaces=["hk.example", "city.example"])
    world.hk.bodies["bureau"].entity_id = "https://bureau3.city.example"
    body = world.hk.bodies["bureau"]
    body.chain = world.hk.chain_for(body.entity_id, body.signer)
    body.grants.clear()
    world.hk.grant(body)
    served = replace(world.hk.files(), root=wide)
    bundle = world.bundle(files={"HK": served})
    forged = world.hk.issue("qual-01")
    assert said(world.check(forged, bundle=bundle)) == ("refuse", ["ISSUER_OUTSIDE_NAMESPACE"])


def test_a_name_shared_by_two_jurisdictions_is_decided_by_the_key(world: World) -> None:
    _namesake(world)
    honest = world.city.issue()
    for shown in (honest, honest.code):
        assert said(world.check(shown)) == ("accept", [])
    forged = world.hk.issue("qual-01", by="namesake")
    assert said(world.check(forged)) == ("refuse", ["ISSUER_OUTSIDE_NAMESPACE"])


def test_a_name_and_key_shared_by_two_jurisdictions_is_nobodys(world: World) -> None:
    _namesake(world, signer=world.city.bodies["bureau"].signer)
    honest = world.city.issue()
    for shown in (honest, honest.code):
        assert said(world.check(shown)) == ("refuse", ["ISSUER_AMBIGUOUS"])


# --- certificates ---------------------------------------------------------------------------------


def _leaf(office: Office, body: Body, **changes: object) -> object:
    start = office.world.start - YEAR
    values = {
        "entity_id": body.entity_id, "organisation": "Example", "country": "CN",
        "not_before": start, "window_end": start + 3 * YEAR, "not_after": start + 9 * YEAR,
        "serial": 999, **changes,
    }  # fmt: skip
    sub_key = key(f"{office.code} sub-ca")
    return x509.make_leaf(office.sub, sub_key, body.signer.public, **values)  # type: ignore[arg-type]


def test_a_leaf_that_has_expired_since_still_vouches_for_its_time(world: World) -> None:
    bureau = world.city.bodies["bureau"]
    leaf = _leaf(world.city, bureau, not_after=world.now + 2 * DAY, window_end=world.now + 2 * DAY)
    bureau.chain = [leaf, world.city.sub]
    title = world.city.issue()
    world.turn(5 * DAY)
    assert said(world.check(title)) == ("accept", [])
    assert said(world.check(world.city.issue())) == ("refuse", ["CERT_PATH_INVALID"])


def _with_anchor(world: World) -> list[str]:
    return x509.chain_text([*world.city.bodies["bureau"].chain, world.city.root])


def _self_signed(world: World) -> list[str]:
    bureau = world.city.bodies["bureau"]
    own = x509.make_root_ca(
        bureau.signer, common_name="Example", organisation="Example", country="CN",
        not_before=world.start - YEAR, not_after=world.start + YEAR, serial=7,
        namespaces=["city.example"],
    )  # fmt: skip
    return x509.chain_text([own])


def _of_another_authority(world: World) -> list[str]:
    bureau = world.city.bodies["bureau"]
    return x509.chain_text(world.hk.chain_for(bureau.entity_id, bureau.signer))


def _without_the_middle(world: World) -> list[str]:
    return x509.chain_text(world.city.bodies["bureau"].chain[:1])


def _upside_down(world: World) -> list[str]:
    return x509.chain_text(list(reversed(world.city.bodies["bureau"].chain)))


def _nothing(world: World) -> list[str]:
    del world
    return []


def _of_another_body(world: World) -> list[str]:
    station = world.city.bodies["station"].entity_id
    return x509.chain_text(world.city.chain_for(station, world.city.bodies["bureau"].signer))


def _of_another_key(world: World) -> list[str]:
    return x509.chain_text(world.city.chain_for(world.city.bodies["bureau"].entity_id, MALLORY))


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        (_with_anchor, "CERT_PATH_INVALID"),
        (_self_signed, "CERT_PATH_INVALID"),
        (_of_another_authority, "CERT_PATH_INVALID"),
        (_without_the_middle, "CERT_PATH_INVALID"),
        (_upside_down, "CERT_PATH_INVALID"),
        (_nothing, "CERT_PATH_INVALID"),
        (_of_another_body, "CERT_ISS_MISMATCH"),
        (_of_another_key, "CERT_KEY_MISMATCH"),
    ],
)
def test_a_chain_cannot_be_anything_but_the_path_to_the_authority(
    calm: World, city_bundle: Bundle, chain: object, code: str
) -> None:
    shown = calm.city.issue(x5c=chain(calm))  # type: ignore[operator]
    assert said(calm.check(shown, bundle=city_bundle)) == ("refuse", [code])


def test_a_chain_found_good_on_entry_lends_nothing_to_other_times_keys_or_names(
    calm: World, city_bundle: Bundle
) -> None:
    bureau, station = calm.city.bodies["bureau"], calm.city.bodies["station"]
    sealed = calm.city.issue()
    entry = city_bundle.find_keys(bureau.signer.public.kid)[0].entry
    digest = x509.chain_digest([x509.der_of(one) for one in bureau.chain])
    assert entry.chains is not None
    assert entry.chains.keys() == {digest}
    assert said(calm.check(sealed, bundle=city_bundle)) == ("accept", [])
    begins, _ = entry.chains[digest]
    early = calm.city.issue(at=begins - HOUR)
    assert said(calm.check(early, bundle=city_bundle)) == ("refuse", ["CERT_PATH_INVALID"])
    for one, other in ((bureau, station), (station, bureau)):
        entry = city_bundle.find_keys(one.signer.public.kid)[0].entry
        foreign = x509.chain_digest([x509.der_of(cert) for cert in other.chain])
        assert foreign not in (entry.chains or {})


def test_a_seal_that_an_authority_made_outside_its_name_space_has_no_path(world: World) -> None:
    # The city itself lists a body of another name space, and widens its root to allow it; the
    # certificate authority was never made for those names.
    body = world.city.body("outpost")
    body.entity_id = "https://outpost.other.example"
    body.chain = world.city.chain_for(body.entity_id, body.signer)
    world.city.grant(body)
    files = world.city.files()
    wide = replace(files.root, namespaces=["city.example", "other.example"])
    bundle = world.bundle(files={"CN/9999": replace(files, root=wide)})
    sealed = world.city.issue(by="outpost")
    assert said(world.check(sealed, bundle=bundle)) == ("refuse", ["CERT_PATH_INVALID"])


def test_a_peer_that_is_introduced_but_not_held_is_told_apart(world: World) -> None:
    files = {code: office.files() for code, office in world.offices.items()}
    home = compile_part(files["CN/9999"], None, now=world.now)
    peers = peers_of(files["CN/9999"])
    introduced = Bundle(combine("CN/9999", [home], peers))
    stranger = Bundle(combine("CN/9999", [home], []))
    macao = world.mo.issue("qual-01")
    for shown in (macao, macao.code):
        assert said(world.check(shown, bundle=introduced)) == ("refer", ["JURISDICTION_UNKNOWN"])
        assert said(world.check(shown, bundle=stranger)) == ("refuse", ["ISSUER_UNKNOWN"])
