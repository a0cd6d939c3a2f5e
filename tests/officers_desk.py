"""Officers of a test bureau, and their calls to its running service."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from issuer_desk import BUREAU, TITLE, Bureau, sample
from registry_desk import SZ
from serving import http_client, serving

from issuer.app import create_app
from issuer.office import Office
from issuer.officers.service import ROLES

PREPARER, APPROVER, ISSUER = "preparer", "approver", "issuer"


def draft(name: str = "title-01", **changes: Any) -> dict[str, Any]:
    """The body of a call that prepares a sample."""
    document = sample(name)
    document["claims"].update(changes)
    return {"type": TITLE, "claims": document["claims"], "territory": [SZ]}


@dataclass
class Counter:
    """The running service, and one officer for each role; `both` prepares and approves."""

    url: str
    client: httpx2.Client
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def call(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        match: str | None = None,
        key: str | None = None,
        accept: str | None = None,
    ) -> httpx2.Response:
        headers = {"idempotency-key": key or secrets.token_urlsafe(18)}
        if who:
            headers["authorization"] = f"Bearer {self.tokens[who]}"
        if match is not None:
            headers["if-match"] = match
        if accept is not None:
            headers["accept"] = accept
        return self.client.request(method, path, json=body, headers=headers)

    def ask(self, who: str, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The document of a call that succeeds."""
        answer = self.call(who, method, path, body, **options)
        assert answer.is_success, answer.text
        return answer.json()

    def refused(
        self, who: str, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[int, str]:
        """Status and code of a call that does not."""
        answer = self.call(who, method, path, body, **options)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()["code"]

    def prepared(self, who: str = PREPARER, **changes: Any) -> str:
        document: Mapping[str, Any] = self.ask(who, "POST", "/v1/issuances", draft(**changes))
        return str(document["id"])

    def approved(self, who: str = PREPARER) -> str:
        issuance = self.prepared(who)
        self.ask(APPROVER, "POST", f"/v1/issuances/{issuance}/approve", match='"1"')
        return issuance

    def sealed(self) -> str:
        """The number of a certificate on paper."""
        issuance = self.approved()
        path = f"/v1/issuances/{issuance}/paper"
        return str(self.ask(ISSUER, "POST", path, match='"2"')["certificate"])


def hire(bureau: Bureau, counter: Counter) -> None:
    """One officer for each role, one with two roles, and a second preparer."""
    people = {role: [role] for role in ROLES}
    people |= {"both": ["preparer", "approver"], "other": ["preparer"]}
    for name, roles in people.items():
        options = [part for role in roles for part in ("--role", role)]
        made = bureau.ask("officer", "new", name, *options)
        counter.tokens[name], counter.ids[name] = made["token"], made["id"]


@contextmanager
def _served(patch: pytest.MonkeyPatch) -> Iterator[str]:
    patch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    with serving(create_app(Office.here())) as url:
        yield url


@contextmanager
def open_counter(bureau: Bureau) -> Iterator[Counter]:
    """The service of this bureau with its officers, for as long as a test needs it."""
    with (
        pytest.MonkeyPatch.context() as patch,
        _served(patch) as url,
        http_client(url) as client,
    ):
        counter = Counter(url, client)
        hire(bureau, counter)
        yield counter
