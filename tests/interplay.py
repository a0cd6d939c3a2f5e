"""Who of others' making speaks the protocols with us, as the page on interoperability tells it.

Versions come from what is locked, so that the page cannot name another one.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The peers, on which of our sides they stand, what a test of theirs proves.
_ROWS = (
    ("wallet: `@openid4vc/openid4vci`, `@sd-jwt/sd-jwt-vc`", "issuer",
     ("offer by reference, metadata, pre-authorized code with `tx_code`, nonce, three proofs at "
     "once, deferred delivery, notification; seals hold by `jwt-vc-issuer` and status list")),
    ("wallet: `@openid4vc/openid4vp`, `dcql`, `@sd-jwt/sd-jwt-vc`", "verifier",
     ("signed requests (`x509_san_dns`, `x509_hash`), `redirect_uri` without signature, query, "
     "disclosure, key binding, `direct_post`, `direct_post.jwt`; the verdict is accept")),
    ("issuer: `@openid4vc/openid4vci`, `@openid4vc/oauth2`, `@sd-jwt/sd-jwt-vc`", "wallet",
     ("offers by value and by reference, `tx_code`, batch, deferred delivery; what a listed key "
     "sealed is kept, what another key sealed is refused with `credential_failure`")),
    ("verifier: `@openid4vc/openid4vp`, `dcql`, `@sd-jwt/sd-jwt-vc`", "wallet",
     ("its signed requests (`x509_san_dns`, `x509_hash`) are answered plain and encrypted; chain, "
     "key binding, nonce, audience and our status list hold, a revoked certificate is refused")),
    ("verifier: `polaris-oid4vp`", "wallet",
     ("the HAIP profile: `x509_hash`, request fetched by POST, `direct_post.jwt`; it refuses an "
     "issuer outside its anchors")),
)  # fmt: skip
_DISAGREEMENTS = (
    ("`@openid4vc/openid4vci` refuses a deferred answer with `credentials` and `notification_id`",
     ("They are wrong: OpenID4VCI 1.0 §9.2 uses both members, and the package's own message says "
     "the reverse of its condition. Our test wallet reads the answer past it.")),
)  # fmt: skip


def lines() -> list[str]:
    """The section of the page."""
    told = ", ".join(f"`{name}` {version}" for name, version in versions().items())
    return [
        "## Protocols",
        "",
        "Wallets, issuers and a verifier that share no code with ours speak OpenID4VCI 1.0",
        "and OpenID4VP 1.0 with the running services and the real wallet, as child processes on",
        "loopback (`make strangers`, `make peers`; Node 20 or newer).",
        f"Versions: {told}.",
        "",
        "| theirs | ours | what is proven |",
        "|---|---|---|",
        *(f"| {peer} | {side} | {proof} |" for peer, side, proof in _ROWS),
        "",
        "They do not prove TLS, the authorization code flow, or signed metadata.",
        "",
        "| where they disagree with us | who is right |",
        "|---|---|",
        *(f"| {what} | {why} |" for what, why in _DISAGREEMENTS),
        "",
    ]


def versions() -> dict[str, str]:
    """Locked versions by name."""
    package = ROOT / "tests" / "conformance" / "node" / "package.json"
    asked: dict[str, str] = json.loads(package.read_text("utf-8"))["dependencies"]
    lock = (ROOT / "benchmarks" / "peers" / "lock.txt").read_text("utf-8")
    (polaris,) = re.findall(r"^polaris-oid4vp==(\S+)", lock, flags=re.MULTILINE)
    return {**asked, "polaris-oid4vp": polaris}
