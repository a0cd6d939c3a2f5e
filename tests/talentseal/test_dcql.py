from typing import Any

import pytest

from talentseal import dcql
from talentseal.dcql import Candidate, Choice
from talentseal.errors import InputError

TITLE, PERMIT = "https://types.example/title/1", "https://types.example/permit/1"
CLAIMS = {
    "vct": TITLE,
    "name": "Lan",
    "level": 3,
    "active": True,
    "document": {"number": "X1", "tail": "0001"},
    "benefits": ["rail", "school"],
    "posts": [{"town": "A"}, {"town": "B", "floor": 2}],
    "empty": None,
}
HELD = Candidate("lan", "dc+sd-jwt", TITLE, CLAIMS, frozenset(("aki-1",)))


def asked(id_: str = "title", **members: Any) -> dict[str, Any]:
    return {"id": id_, "format": "dc+sd-jwt", "meta": {"vct_values": [TITLE]}, **members}


def query(*credentials: dict[str, Any], **members: Any) -> Any:
    return dcql.parse_query({"credentials": list(credentials), **members})


def chosen(*credentials: dict[str, Any], **members: Any) -> list[Choice] | None:
    return dcql.evaluate(query(*credentials, **members), [HELD])


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (["name"], ["Lan"]),
        (["document", "tail"], ["0001"]),
        (["document"], [{"number": "X1", "tail": "0001"}]),
        (["benefits", None], ["rail", "school"]),
        (["benefits", 1], ["school"]),
        (["benefits", 2], []),
        (["posts", None, "town"], ["A", "B"]),
        (["posts", None, "floor"], [2]),
        (["posts", 0, "floor"], []),
        (["name", "first"], []),
        (["name", None], []),
        (["document", 0], []),
        (["benefits", "rail"], []),
        (["nothing"], []),
        (["empty"], [None]),
    ],
)
def test_a_path_leads_where_the_text_says(path: list[Any], found: list[Any]) -> None:
    assert dcql.select(CLAIMS, path) == found


def test_without_claims_nothing_hidden_is_asked_for() -> None:
    assert chosen(asked()) == [Choice("title", "lan", ())]


def test_all_claims_are_asked_for_and_a_double_one_counts_once() -> None:
    claims = [{"path": ["name"]}, {"path": ["document", "tail"]}, {"path": ["name"]}]
    assert chosen(asked(claims=claims)) == [
        Choice("title", "lan", (("name",), ("document", "tail")))
    ]


def test_a_missing_claim_means_no_certificate() -> None:
    assert chosen(asked(claims=[{"path": ["name"]}, {"path": ["portrait"]}])) is None


def test_the_first_claim_set_that_can_be_met_is_taken() -> None:
    claims = [{"id": name, "path": [name]} for name in ("portrait", "name", "level")]
    sets = [["portrait", "name"], ["level"], ["name"]]
    assert chosen(asked(claims=claims, claim_sets=sets)) == [Choice("title", "lan", (("level",),))]
    assert chosen(asked(claims=claims, claim_sets=[["portrait"]])) is None


@pytest.mark.parametrize(
    ("path", "values", "fits"),
    [
        (["level"], [2, 3], True),
        (["level"], ["3"], False),
        (["level"], [True], False),
        (["active"], [True], True),
        (["active"], [1], False),
        (["name"], ["lan"], False),
        (["benefits", None], ["school"], True),
        (["document"], ["X1"], False),
        (["empty"], ["None"], False),
    ],
)
def test_values_fit_by_type_and_value(path: list[Any], values: list[Any], *, fits: bool) -> None:
    assert (chosen(asked(claims=[{"path": path, "values": values}])) is not None) is fits


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": {"vct_values": [PERMIT]}},
        {"format": "mso_mdoc", "meta": {"doctype_value": "x"}},
        {"trusted_authorities": [{"type": "aki", "values": ["aki-2"]}]},
        {"trusted_authorities": [{"type": "etsi_tl", "values": ["aki-1"]}]},
    ],
)
def test_another_kind_or_authority_does_not_fit(changes: dict[str, Any]) -> None:
    assert chosen(asked(**changes)) is None


def test_one_of_several_authorities_is_enough() -> None:
    named = [{"type": "etsi_tl", "values": ["x"]}, {"type": "aki", "values": ["aki-2", "aki-1"]}]
    assert chosen(asked(trusted_authorities=named)) is not None


def test_without_sets_every_query_must_be_met() -> None:
    missing = asked("permit", meta={"vct_values": [PERMIT]})
    assert chosen(asked(), missing) is None


def test_required_sets_are_met_by_their_first_option_and_others_stay_away() -> None:
    missing = asked("permit", meta={"vct_values": [PERMIT]})
    sets = [
        {"options": [["permit"], ["title"]]},
        {"options": [["more"]], "required": False},
        {"options": [["permit"]], "required": False},
    ]
    both = query(asked(), missing, asked("more"), credential_sets=sets)
    assert dcql.evaluate(both, [HELD]) == [Choice("title", "lan", ())]
    willing = dcql.evaluate(both, [HELD], optional=True)
    assert [choice.query for choice in willing or ()] == ["title", "more"]


def test_a_required_set_that_cannot_be_met_means_no_answer() -> None:
    missing = asked("permit", meta={"vct_values": [PERMIT]})
    assert chosen(asked(), missing, credential_sets=[{"options": [["title", "permit"]]}]) is None


def test_where_nothing_is_required_what_is_there_answers() -> None:
    missing = asked("permit", meta={"vct_values": [PERMIT]})
    sets = [{"options": [[name]], "required": False} for name in ("title", "permit")]
    assert chosen(asked(), missing, credential_sets=sets) == [Choice("title", "lan", ())]
    assert dcql.evaluate(query(asked(), missing, credential_sets=sets), []) is None


def test_unknown_members_are_ignored() -> None:
    assert chosen(asked(claims=[{"path": ["name"], "later": 1}], later=2), later=3) is not None


CLAIM = {"id": "a", "path": ["name"]}


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {},
        {"credentials": []},
        {"credentials": {}},
        {"credentials": [asked(), asked()]},
        {"credentials": [asked("a b")]},
        {"credentials": [asked("")]},
        {"credentials": [asked("title\n")]},
        {"credentials": [{"id": "a", "format": "dc+sd-jwt"}]},
        {"credentials": [asked(meta={})]},
        {"credentials": [asked(meta={"vct_values": []})]},
        {"credentials": [asked(meta={"vct_values": [1]})]},
        {"credentials": [asked(meta={"vct_values": "x"})]},
        {"credentials": [asked(multiple="yes")]},
        {"credentials": [asked(claims=[])]},
        {"credentials": [asked(claims=[{"path": []}])]},
        {"credentials": [asked(claims=[{"path": ["a", -1]}])]},
        {"credentials": [asked(claims=[{"path": ["a", True]}])]},
        {"credentials": [asked(claims=[{"path": ["a"] * 17}])]},
        {"credentials": [asked(claims=[{"path": ["a"], "values": []}])]},
        {"credentials": [asked(claims=[{"path": ["a"], "values": [None]}])]},
        {"credentials": [asked(claims=[CLAIM, CLAIM])]},
        {"credentials": [asked(claim_sets=[["a"]])]},
        {"credentials": [asked(claims=[CLAIM], claim_sets=[])]},
        {"credentials": [asked(claims=[CLAIM], claim_sets=[[]])]},
        {"credentials": [asked(claims=[CLAIM], claim_sets=[["b"]])]},
        {"credentials": [asked(claims=[CLAIM, {"path": ["b"]}], claim_sets=[["a"]])]},
        {"credentials": [asked(trusted_authorities=[])]},
        {"credentials": [asked(f"c{i}") for i in range(21)]},
        {"credentials": [asked()], "credential_sets": []},
        {"credentials": [asked()], "credential_sets": [{"options": []}]},
        {"credentials": [asked()], "credential_sets": [{"options": [[]]}]},
        {"credentials": [asked()], "credential_sets": [{"options": [["other"]]}]},
    ],
)
def test_a_query_of_a_wrong_shape_is_refused(broken: Any) -> None:
    with pytest.raises(InputError) as caught:
        dcql.parse_query(broken)
    assert caught.value.code == "MALFORMED"


def test_a_query_from_a_link_is_read_as_strictly() -> None:
    assert dcql.parse_query_text('{"credentials": [' + _text(asked()) + "]}").credentials
    for text in (
        '{"credentials": [1.5]}',
        "[]",
        "",
        "\ud800",
        '{"credentials": 1, "credentials": 2}',
    ):
        with pytest.raises(InputError):
            dcql.parse_query_text(text)


def _text(value: Any) -> str:
    from talentseal.encoding import dump_json

    return dump_json(value).decode()


# --- answers --------------------------------------------------------------------------------------

TWO = [asked(), asked("permit", multiple=True)]


def test_an_answer_comes_back_in_the_order_of_the_query() -> None:
    token = {"permit": ["p1", "p2"], "title": ["t"]}
    checked = dcql.check_vp_token(query(*TWO), token)
    assert list(checked.items()) == [("title", ["t"]), ("permit", ["p1", "p2"])]


def test_an_answer_may_leave_out_what_is_optional() -> None:
    sets = [{"options": [["title"]]}, {"options": [["permit"]], "required": False}]
    whole = query(*TWO, credential_sets=sets)
    assert dcql.check_vp_token(whole, {"title": ["t"]}) == {"title": ["t"]}
    with pytest.raises(InputError):
        dcql.check_vp_token(whole, {"permit": ["p"]})


@pytest.mark.parametrize(
    "token",
    [
        None,
        [],
        {},
        "x",
        {"title": ["t"]},
        {"title": ["t"], "permit": []},
        {"title": ["t", "u"], "permit": ["p"]},
        {"title": "t", "permit": ["p"]},
        {"title": [{}], "permit": ["p"]},
        {"title": ["t"], "permit": ["p"], "other": ["o"]},
    ],
)
def test_an_answer_that_does_not_fit_is_refused(token: Any) -> None:
    with pytest.raises(InputError) as caught:
        dcql.check_vp_token(query(*TWO), token)
    assert caught.value.code == "MALFORMED"


def test_what_was_shown_is_held_against_its_query() -> None:
    entry = query(asked(claims=[{"path": ["name"]}])).credentials[0]
    assert dcql.match(entry, HELD) == (("name",),)
    assert dcql.match(entry, HELD._replace(claims={"vct": TITLE})) is None
