"""Properties: whatever is shown, under whatever data and policy, doubt never becomes acceptance."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from forging import reseal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulator import DAY, Held, World, key

from schemas.verdict import CODES, OUTCOMES, Check, Code, Verdict, overall_outcome
from talentseal import sdjwt
from talentseal.artefacts import STATUS, SignedFiles
from talentseal.bundle import Bundle, Tables, combine
from talentseal.compiling import compile_part, peers_of
from talentseal.encoding import from_seconds
from talentseal.errors import BundleError
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.status import StatusList
from talentseal.verify import verify

DOUBT = {"fail", "unknown"}
HOMES = ("CN/9999", "HK", "MO")


def assert_honest(verdict: Verdict) -> None:
    """No doubt beside an acceptance; the outcome is that of the checks, and they ran in order."""
    doubts = [check for check in verdict.checks if check.result in DOUBT]
    assert not (doubts and verdict.outcome == "accept")
    assert verdict.checks
    assert verdict.outcome == overall_outcome(verdict.outcomes)
    if verdict.outcome == "accept":
        ran = {check.check for check in verdict.checks}
        assert {"trust_data", "format", "issuer_key", "signature", "key_time", "status"} <= ran
        assert verdict.questions["authentic"] == "pass"
    if any(check.result == "fail" and check.check == "signature" for check in verdict.checks):
        assert verdict.credential is None


outcomes = st.dictionaries(st.sampled_from([str(c) for c in Code]), st.sampled_from(OUTCOMES))
policies = st.builds(
    Policy,
    home=st.sampled_from(("", *HOMES, "CN/4403")),
    place=st.sampled_from((None, *HOMES)),
    purpose=st.sampled_from((None, "employment", "study")),
    max_age=st.sampled_from((1, DAY, 7 * DAY, 10_000 * DAY)),
    holder=st.sampled_from(("required", "optional", "not_asked")),
    recognition=st.booleans(),
    outcomes=outcomes,
    types=st.sampled_from((None, frozenset(), frozenset(("https://other.example",)))),
    issuers=st.sampled_from((None, frozenset())),
    required=st.sampled_from((frozenset(), frozenset(("family_name",)), frozenset(("none",)))),
    link_hosts=st.just(frozenset()),
)
everything = {str(code): "accept" for code in Code}


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A change to bytes: flips, cuts, doubled or borrowed pieces."""
    kind = draw(st.sampled_from(("none", "flip", "cut", "insert", "repeat", "drop")))
    place, value = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 127))
    size = draw(st.integers(1, 40))

    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        if kind == "flip":
            return data[:at] + bytes((data[at] ^ (value or 1),)) + data[at + 1 :]
        if kind == "cut":
            return data[:at]
        if kind == "insert":
            return data[:at] + bytes((value,)) * size + data[at:]
        if kind == "repeat":
            return data[:at] + data[at : at + size] + data[at:]
        return data if kind == "none" else data[:at] + data[at + size :]

    return change


times = st.sampled_from((0, 1, DAY + 1, 8 * DAY, 400 * DAY, -1, -DAY, -10_000 * DAY))


@settings(max_examples=400)
@given(
    form=st.sampled_from(("text", "code", "live", "bound")),
    change=mutations(),
    policy=policies,
    late=times,
    audience=st.sampled_from((None, "desk")),
    nonce=st.sampled_from((None, "nonce", "12345678")),
)
def test_no_evidence_under_no_policy_is_accepted_in_doubt(
    calm: World,
    title: Held,
    city_bundle: Bundle,
    form: str,
    change: Any,
    policy: Policy,
    late: int,
    audience: str | None,
    nonce: str | None,
) -> None:
    shown = _shown(title, form, calm.now)
    changed: str | bytes = (
        change(shown.encode()).decode("latin-1") if isinstance(shown, str) else change(shown)
    )
    evidence = (
        Evidence(text=changed, audience=audience, nonce=nonce)
        if isinstance(changed, str)
        else Evidence(code=changed, audience=audience, nonce=nonce)
    )
    verdict = verify(evidence, city_bundle, policy, now=from_seconds(calm.now + late))
    assert_honest(verdict)


def _shown(title: Held, form: str, at: int) -> str | bytes:
    if form == "text":
        return title.text
    if form == "code":
        return title.code
    if form == "live":
        return title.live(at=at)
    return title.present("family_name", audience="desk", nonce="nonce", at=at)


@settings(max_examples=300)
@given(policy=policies)
@example(policy=Policy(home="CN/9999", outcomes=everything))
def test_a_policy_never_turns_doubt_into_acceptance(policy: Policy) -> None:
    for code, info in CODES.items():
        for check in info.checks:
            for result in DOUBT:
                outcome = policy.outcome(Check(check, result, code))
                assert outcome != "accept"
                if result == "fail" and outcome == "refer":
                    assert check in ("recognition", "catalogue", "validity", "policy")
            assert policy.outcome(Check(check, "fail")) == "refuse"


def _broken(tables: Tables, what: str) -> Tables:
    """A bundle from which something is missing, or in which something is foreign."""
    only_home = {code: one for code, one in tables.jurisdictions.items() if code == "CN/9999"}
    changes: dict[str, dict[str, Any]] = {
        "keys": {"keys": ()},
        "rights": {"rights": ()},
        "recognitions": {"recognitions": ()},
        "types": {"types": {}},
        "status": {"status": {}},
        "peers": {"jurisdictions": only_home},
        "home": {"jurisdictions": {}},
        "fault": {"fault": "TRUST_DATA_CORRUPT"},
        "clock": {"clock_mark": 2**33},
        "nothing": {},
    }
    return tables._replace(**changes[what])


class Scene:
    """Trust data and what is shown against it; its name stays short where a property fails."""

    def __init__(self, tables: Tables, home: Held, away: Held) -> None:
        self.tables = tables
        self.home = home
        self.away = away


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The city's tables, a title of its own and a foreign qualification."""
    world = World.honest()
    home, away = world.city.issue(), world.hk.issue("qual-01")
    files = {code: office.files() for code, office in world.offices.items()}
    peers = {peer.jurisdiction: peer for peer in peers_of(files["CN/9999"])}
    parts = [compile_part(signed, peers.get(code), now=world.now) for code, signed in files.items()]
    return Scene(combine("CN/9999", parts, list(peers.values())), home, away)


@pytest.fixture(scope="module")
def revoked() -> tuple[Held, SignedFiles]:
    world = World.honest()
    title = world.city.issue()
    world.city.set_status(title, 1)
    return title, world.city.files()


@pytest.fixture(scope="module")
def forged() -> tuple[str, SignedFiles]:
    """A title sealed by a key that nobody lists, under the bureau's name; honest trust data."""
    world = World.honest()
    title = world.city.issue()
    mallory = key("mallory")
    text = reseal(title, header={"kid": mallory.public.kid}, signer=mallory)
    return text, world.city.files()


@settings(max_examples=200)
@given(
    missing=st.sets(
        st.sampled_from(
            ("keys", "rights", "recognitions", "types", "status", "peers", "home", "fault", "clock")
        ),
        min_size=1,
    ),
    policy=policies,
    foreign=st.booleans(),
)
def test_what_is_missing_from_a_bundle_is_never_taken_as_good(
    calm: World,
    scene: Scene,
    missing: set[str],
    policy: Policy,
    foreign: bool,  # noqa: FBT001 - drawn
) -> None:
    tables = scene.tables
    for what in sorted(missing):
        tables = _broken(tables, what)
    held = scene.away if foreign else scene.home
    verdict = verify(Evidence(text=held.text), Bundle(tables), policy, now=from_seconds(calm.now))
    assert_honest(verdict)
    needed = {"keys", "rights", "types", "status", "home", "fault", "clock"}
    if missing & needed or (foreign and missing & {"peers"}):
        assert verdict.outcome != "accept"
        assert any(check.result in DOUBT for check in verdict.checks)


# --- status and trust data ------------------------------------------------------------------------


@settings(max_examples=120)
@given(change=mutations(), form=st.sampled_from(("cwt", "jwt")), late=times)
def test_a_damaged_or_old_status_list_never_clears(
    calm: World, revoked: tuple[Held, SignedFiles], change: Any, form: str, late: int
) -> None:
    held, files = revoked
    tokens = {
        path: change(data)
        for path, data in files.targets.items()
        if path.startswith(STATUS) and path.endswith(form)
    }
    kept = {
        path: data
        for path, data in files.targets.items()
        if not path.endswith((".cwt", ".jwt")) or not path.startswith(STATUS)
    }
    part = compile_part(replace(files, targets={**kept, **tokens}), None, now=calm.now)
    bundle = Bundle(combine("CN/9999", [part], []))
    for shown in (held.text, held.code):
        verdict = calm.check(shown, bundle=bundle, at=calm.now + late)
        assert verdict.outcome != "accept"
        assert_honest(verdict)


@settings(max_examples=150)
@given(
    change=mutations(),
    path=st.integers(0, 200),
    late=st.sampled_from((0, DAY, 8 * DAY, 400 * DAY)),
)
def test_damaged_trust_data_is_refused_or_leaves_doubt_never_new_trust(
    calm: World, forged: tuple[str, SignedFiles], change: Any, path: int, late: int
) -> None:
    text, files = forged
    targets = dict(files.targets)
    name = sorted(targets)[path % len(targets)]
    targets[name] = change(targets[name])
    try:
        part = compile_part(replace(files, targets=targets), None, now=calm.now)
    except BundleError:
        return  # the whole set is refused, and the one before stays
    verdict = calm.check(text, bundle=Bundle(combine("CN/9999", [part], [])), at=calm.now + late)
    assert verdict.outcome == "refuse" or any(c.result in DOUBT for c in verdict.checks)
    assert verdict.outcome != "accept"


@given(
    size=st.integers(0, 64),
    bits=st.sampled_from((1, 2, 4, 8)),
    index=st.integers(-2, 2**53),
    data=st.binary(min_size=64, max_size=64),
)
def test_an_entry_is_a_number_of_its_width_or_nothing(
    size: int, bits: int, index: int, data: bytes
) -> None:
    listed = StatusList("https://x.example", bits, data[:size], 0, None, None)
    value = listed.value(index)
    inside = 0 <= index < listed.size
    assert (value is not None) == inside
    if inside:
        whole = int.from_bytes(data[:size], "little")
        assert value == whole >> (index * bits) & ((1 << bits) - 1)


# --- disclosures ----------------------------------------------------------------------------------


@settings(max_examples=250)
@given(
    order=st.randoms(use_true_random=False), keep=st.sets(st.integers(0, 30)), stray=st.booleans()
)
def test_adding_removing_or_reordering_disclosures_changes_no_accepted_value(
    calm: World,
    title: Held,
    city_bundle: Bundle,
    order: Any,
    keep: set[int],
    stray: bool,  # noqa: FBT001 - drawn
) -> None:
    token, *shown, _ = title.text.split("~")
    kept = [text for number, text in enumerate(shown) if number in keep]
    order.shuffle(kept)
    if stray:
        kept.insert(order.randint(0, len(kept)), order.choice(shown))
    text = "~".join((token, *kept, ""))
    verdict = calm.check(text, bundle=city_bundle)
    assert_honest(verdict)
    if verdict.outcome == "accept":
        assert verdict.credential is not None
        _assert_part_of(verdict.credential.claims, sdjwt.all_claims(title.text))


def _assert_part_of(some: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    for name, value in some.items():
        if isinstance(value, Mapping):
            _assert_part_of(value, whole[name])
        else:
            assert value == whole[name]
