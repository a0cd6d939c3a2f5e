"""Every route, every role, one's own, another's and unknown things: who gets which answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from issuer_desk import BUREAU, Bureau
from officers_desk import Counter, draft, open_counter
from starlette.routing import BaseRoute

from issuer.app import create_app
from issuer.office import Office
from issuer.officers.service import ROLES

ROLES_OF: dict[str, frozenset[str]] = {
    **{role: frozenset((role,)) for role in ROLES},
    "both": frozenset(("preparer", "approver")),
    "other": frozenset(("preparer",)),
}
OWN, FOREIGN, UNKNOWN = "own", "foreign", "unknown"
SEE_ALL = frozenset(("approver", "issuer"))
UNKNOWN_ISSUANCE, UNKNOWN_NUMBER = "A" * 22, "00000000"


@dataclass(frozen=True)
class Rule:
    """Who may call a route, and what a caller who may gets for a thing that is seen.

    status  of a call that is let in; changes are made from a version that never was
    own     only the preparer's own is seen
    """

    roles: frozenset[str]
    status: int
    body: Callable[[], Any] = lambda: None
    own: bool = False


def _may(*roles: str) -> frozenset[str]:
    return frozenset(roles)


READERS = _may("preparer", "approver", "issuer")
REASON = {"revoke": "rescinded", "suspend": "withheld", "reinstate": "returned"}
ISSUANCE, CREDENTIAL = "/v1/issuances/{issuance}", "/v1/credentials/{number}"
RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/v1/issuances"): Rule(READERS, 200),
    ("POST", "/v1/issuances"): Rule(_may("preparer"), 422, lambda: {"type": "none"}),
    ("GET", ISSUANCE): Rule(READERS, 200),
    ("PUT", ISSUANCE): Rule(_may("preparer"), 412, draft, own=True),
    ("POST", f"{ISSUANCE}/approve"): Rule(_may("approver"), 412),
    ("POST", f"{ISSUANCE}/withdraw"): Rule(READERS, 412),
    ("POST", f"{ISSUANCE}/paper"): Rule(_may("issuer"), 412),
    ("POST", f"{ISSUANCE}/offer"): Rule(_may("issuer"), 201, dict),
    ("GET", "/v1/credentials"): Rule(frozenset(ROLES), 200),
    ("GET", CREDENTIAL): Rule(frozenset(ROLES), 200),
    **{
        ("POST", f"{CREDENTIAL}/{act}"): Rule(_may("revoker"), 412, lambda r=reason: {"reason": r})  # type: ignore[misc]
        for act, reason in REASON.items()
    },
    ("GET", "/v1/audit"): Rule(_may("auditor"), 200),
}
# No officer calls these: what anybody may see, and what wallets call with tokens of their own.
OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
WALLETS = frozenset({
    "/.well-known/jwt-vc-issuer", "/.well-known/oauth-authorization-server",
    "/.well-known/openid-credential-issuer", "/credential", "/deferred", "/jwks", "/nonce",
    "/notification", "/offers/{offer_id}", "/token",
})  # fmt: skip


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in _flat(app.routes):
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods or ()))


def _flat(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from _flat(inner.routes) if inner is not None else [route]


def expected(rule: Rule, who: str, thing: str) -> int:
    if not who:
        return 401
    roles = ROLES_OF[who]
    if not roles & rule.roles:
        return 403
    if thing == UNKNOWN or (thing == FOREIGN and (rule.own or not roles & SEE_ALL)):
        return 404
    return rule.status


@pytest.mark.usefixtures("bureau")
def test_every_route_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    found = set(routes_of(create_app(Office.here())))
    others = {path for method, path in found - set(RULES)}
    assert set(RULES) <= found
    assert others == OPEN | WALLETS


def test_each_officer_gets_what_the_table_says(bureau: Bureau) -> None:
    with open_counter(bureau) as counter:
        of_preparer, of_other, of_both = map(counter.prepared, ("preparer", "other", "both"))
        mine = {"preparer": of_preparer, "other": of_other, "both": of_both}
        number = counter.sealed()
        before = bureau.rows("SELECT id, state, version FROM issuance ORDER BY id")
        wrong = []
        for (method, path), rule in RULES.items():
            for who in ("", *ROLES_OF):
                for thing, place in places(path, mine, who, number):
                    body = rule.body()
                    got = counter.call(who, method, place, body, match='"999"')
                    if got.status_code != expected(rule, who, thing):
                        wrong.append((method, path, who, thing, got.status_code, got.text[:200]))
        assert not wrong
        assert bureau.rows("SELECT id, state, version FROM issuance ORDER BY id") == before


def places(path: str, mine: dict[str, str], who: str, number: str) -> list[tuple[str, str]]:
    """Own, foreign and unknown things of a route; a list is everybody's own."""
    if "{number}" in path:
        return [
            (OWN, path.replace("{number}", number)),
            (UNKNOWN, path.replace("{number}", UNKNOWN_NUMBER)),
        ]
    if "{issuance}" not in path:
        return [(OWN, path)]
    foreign = mine["other" if who == "preparer" else "preparer"]
    things = {FOREIGN: foreign, UNKNOWN: UNKNOWN_ISSUANCE}
    if who in mine:
        things[OWN] = mine[who]
    return [(thing, path.replace("{issuance}", found)) for thing, found in things.items()]


def test_tokens_of_others_and_of_nobody_open_nothing(bureau: Bureau) -> None:
    with open_counter(bureau) as counter:
        for token in ("x", "tsk_", "tsk_" + "A" * 43, "\xe9"):
            counter.tokens["x"] = token
            answer = call_with(counter, token)
            assert answer == (401, "UNAUTHENTICATED")


def call_with(counter: Counter, token: str) -> tuple[int, str]:
    headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
    answer = counter.client.get("/v1/issuances", headers=headers)
    return answer.status_code, answer.json()["code"]
