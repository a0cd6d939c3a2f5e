"""The officers' interface, tried from its own document with good and bad requests."""

import secrets

from contracts import try_operations
from issuer_desk import Bureau
from officers_desk import open_counter
from postgres import both_databases

from issuer.officers.service import ROLES
from talentseal.encoding import parse_json


@both_databases
def test_no_request_made_from_the_document_surprises_the_service(bureau: Bureau) -> None:
    with open_counter(bureau) as counter:
        options = [part for role in ROLES for part in ("--role", role)]
        token = bureau.ask("officer", "new", "everything", *options)["token"]
        paths = parse_json(counter.client.get("/openapi.json").content, max_depth=32)["paths"]
        wallets = [path for path in paths if not path.startswith("/v1/")]  # tried by their own test
        headers = {"authorization": f"Bearer {token}", "idempotency-key": secrets.token_hex(16)}
        assert try_operations(counter.url, headers=headers, without=wallets, examples=8) >= 14
