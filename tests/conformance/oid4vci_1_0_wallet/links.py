"""Offers as an emulated issuer shows them."""

import json
from urllib.parse import urlencode

from conformance.peers.http_peer import as_json
from conformance.peers.issuer_peer import IssuerPeer


def by_value(issuer: IssuerPeer, *names: str) -> str:
    query = urlencode({"credential_offer": json.dumps(issuer.offer(*names))})
    return f"openid-credential-offer://?{query}"


def by_reference(issuer: IssuerPeer, *names: str) -> str:
    issuer.instead["/offers/1"] = as_json(issuer.offer(*names))
    query = urlencode({"credential_offer_uri": f"{issuer.identifier}/offers/1"})
    return f"openid-credential-offer://?{query}"
