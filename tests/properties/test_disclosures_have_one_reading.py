"""Disclosures are opened all at once where they can be, and by a walk where they cannot.

Both ways must come to the same claims, or to the same refusal, whatever is hidden where.
"""

from typing import Any

from forging import digest_of, disclosure
from hypothesis import given
from hypothesis import strategies as st

from talentseal import sdjwt
from talentseal.encoding import dump_json, parse_json
from talentseal.errors import InputError

DECOY = "d" * 43
NAMES = st.sampled_from(["a", "b", "c", "_sd", "...", "_sd_alg", "iss", "cnf"])
SCALARS = st.sampled_from(["", "x", "_sd", "...", 7, True, None])
SALTS = st.sampled_from(["salt", "other salt", 7])
# A member that stands for "the digest of the disclosure with this number".
REFERENCES = st.integers(0, 4).map(lambda number: {"refers": number})
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(st.one_of(inner, REFERENCES.map(lambda r: {"...": r})), max_size=3),
        st.dictionaries(NAMES, inner, max_size=3),
        st.builds(lambda r: {"_sd": [r]}, REFERENCES),
    ),
    max_leaves=4,
)
PARTS = st.one_of(
    st.tuples(SALTS, NAMES, VALUES),
    st.tuples(SALTS, st.sampled_from(["p", "q", "r", "s"]), SCALARS),
    st.tuples(SALTS, VALUES),
    st.tuples(SALTS),
)
PAYLOADS = st.dictionaries(st.sampled_from(["a", "b", "...", "iss"]), VALUES, max_size=3)


def _placed(value: Any, digests: list[str]) -> Any:
    """`value` with the digests in place of the references to them."""
    if isinstance(value, dict):
        if value.keys() == {"refers"}:
            return digests[value["refers"]] if value["refers"] < len(digests) else DECOY
        return {name: _placed(member, digests) for name, member in value.items()}
    return [_placed(item, digests) for item in value] if isinstance(value, list) else value


def _opened(payload: bytes, disclosures: list[str], *, at_once: bool) -> Any:
    inner: set[str] = set()
    try:
        members = parse_json(payload, inner=inner)
        return sdjwt.open_disclosures(members, disclosures, inner=inner if at_once else None)
    except InputError as error:
        return error.code


@given(PAYLOADS, st.lists(PARTS, max_size=4), st.data())
def test_opened_at_once_or_by_a_walk_it_is_the_same(
    payload: dict[str, Any], hidden: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    disclosures: list[str] = []
    digests: list[str] = []
    for parts in hidden:
        disclosures.append(disclosure(*_placed(list(parts), digests)))
        digests.append(digest_of(disclosures[-1]))
    top = data.draw(st.lists(st.sampled_from([*digests, DECOY, "short"]), max_size=5))
    if data.draw(st.booleans()):
        top = digests
    written = dump_json({**_placed(payload, digests), "_sd": top})
    shown = data.draw(st.permutations(disclosures))
    at_once = _opened(written, shown, at_once=True)
    assert at_once == _opened(written, shown, at_once=False)


def test_the_usual_case_is_opened_and_the_cases_around_it_are_refused() -> None:
    good = [disclosure("s1", "p", 1), disclosure("s2", "q", [])]
    digests = [digest_of(text) for text in good]
    usual = dump_json({"a": 1, "_sd": [DECOY, *digests], "_sd_alg": "sha-256"})
    opened = _opened(usual, good, at_once=True)
    assert opened.claims == {"a": 1, "p": 1, "q": []}
    assert opened.disclosed == {"p", "q"}
    for name, code in (("a", "DISCLOSURE_INVALID"), ("p", "DISCLOSURE_INVALID"),
                       ("cnf", "DISCLOSURE_FORBIDDEN"), (7, "DISCLOSURE_INVALID")):  # fmt: skip
        more = disclosure("s3", name, 1)
        bad = dump_json({"a": 1, "_sd": [*digests, digest_of(more)]})
        assert _opened(bad, [*good, more], at_once=True) == code
    assert _opened(dump_json({"_sd": digests[:1]}), good, at_once=True) == "DISCLOSURE_INVALID"
