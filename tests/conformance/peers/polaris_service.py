"""The HAIP verifier of `polaris-oid4vp`, run by the interpreter of the foreign verifiers:

    benchmarks/peers/.venv/bin/python tests/conformance/peers/polaris_service.py < configuration

One JSON configuration in: {"host", "certificate", "key", "anchor" (PEM), "vct", "claims"}.
One JSON line out for each thing that happens: {"url", "link", "version"} once it listens on a free
port of this machine, then {"status", "verdict"} for each answer of a wallet. It imports nothing of
the product.
"""

import json
import sys
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode


def tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main() -> None:
    from cryptography.x509 import load_pem_x509_certificates
    from polaris_oid4vp.serve import serve
    from polaris_oid4vp.verifier import Verifier

    given = json.loads(sys.stdin.readline())
    base = f"https://{given['host']}"
    verifier = Verifier(
        client_cert_pem=given["certificate"].encode(), client_key_pem=given["key"].encode(),
        request_uri=f"{base}/request.jwt", response_uri=f"{base}/response",
        issuer_trust_anchors=load_pem_x509_certificates(given["anchor"].encode()),
        vct_values=[given["vct"]], claims=given["claims"],
    )  # fmt: skip
    server = serve(
        verifier, host="127.0.0.1", port=0,
        on_verdict=lambda status, _, verdict: tell(status=status, verdict=verdict.as_dict()),
    )  # fmt: skip
    session, _ = verifier.new_request()
    link = f"openid4vp://?{urlencode(verifier.authorization_request_params(session))}"
    url = f"http://127.0.0.1:{server.server_address[1]}"
    tell(url=url, link=link, version=version("polaris-oid4vp"))
    sys.stdin.read()


if __name__ == "__main__":
    main()
