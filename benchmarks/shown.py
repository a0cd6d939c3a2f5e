"""What verifiers are shown in the benchmarks: real credentials of the simulator's honest network.

Every credential of a row has its own claims' salts, holder key, status index and signature; all of
them come from one issuer in one hour, as at a desk on a busy morning, so header and certificate
chain repeat and signatures never do. The clock of the network is the machine's, because the
foreign verifiers read no other.
"""

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from benchmarks.inputs import SEED
from benchmarks.report import ROOT
from talentseal import codetext, sdjwt
from talentseal.bundle import Bundle, Memo
from talentseal.encoding import from_seconds
from talentseal.keys import SoftwareSigner
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.verify import verify

ROW = 240  # distinct credentials: far more than a memory of one can remember
HOME = "CN/9999"
HOST = "verify.talentseal.example"
AUDIENCE = "https://desk.example"
NONCE = "q83vEjRWeJASNFZ4kBI0Vg"
DAY = 86_400
YEAR = 365 * DAY

# Of the four always visible and sixteen singly disclosable claims of a work permit.
WALLET_SAMPLE = "permit-03"
NAMES = (
    "family_name", "given_name", "display_name", "birthdate",
    "sex", "nationality", "certificate_number", "permit_number",
)  # fmt: skip
CODE_SAMPLE = "title-03"
POLICY = Policy(home=HOME, place=HOME, purpose="employment")


@dataclass(frozen=True, slots=True)
class Network:
    """The honest network and the bundle of a desk in it; `ed` is an issuer with an Ed25519 key."""

    world: Any
    city: Any

    @property
    def now(self) -> int:
        return int(self.world.now)

    def bundle(self) -> Bundle:
        bundle: Bundle = self.world.bundle(HOME)
        return bundle

    def wallet(self, *, by: str = "bureau", **changes: Any) -> Any:
        """A credential with all its disclosures, as its holder keeps it."""
        return self.city.issue(WALLET_SAMPLE, by=by, **changes)

    def shown(self, *, by: str = "bureau", bound: bool = False, **changes: Any) -> str:
        """The same with eight disclosures left, with or without the holder's proof."""
        held = self.wallet(by=by, **changes)
        if bound:
            return str(held.present(*NAMES, audience=AUDIENCE, nonce=NONCE, at=self.now))
        return sdjwt.disclose(held.text, NAMES)

    def code(self, **changes: Any) -> bytes:
        return bytes(self.city.issue(CODE_SAMPLE, **changes).code)


def network() -> Network:
    """An honest network whose now is the machine's."""
    sys.path.insert(0, str(ROOT / "tests"))
    simulator = importlib.import_module("simulator")
    now = int(time.time())
    world = simulator.World.honest(now)
    secret = ed25519.Ed25519PrivateKey.from_private_bytes(SEED.to_bytes(32))
    world.city.grant(world.city.body("ed", signer=SoftwareSigner(secret)))
    return Network(world, world.city)


def forgetful(bundle: Bundle) -> Bundle:
    """The same bundle with a memory for one signature: a row of many is checked anew each time."""
    bundle.seen = Memo(1)
    return bundle


def as_digits(code: bytes) -> str:
    """The text of a code that is never compressed: the link and its digits."""
    return codetext.write_text(code, host=HOST)


class NoReplays:
    """Remembers each proof for as long as it takes to say that it is new, so rows can repeat."""

    def __init__(self) -> None:
        self.used: set[bytes] = set()

    def first_use(self, key: bytes, *, until: int) -> bool:
        del until
        self.used.add(key)
        self.used.discard(key)
        return True


def desk(
    bundle: Bundle, now: int, *, bound: bool = False, policy: Policy = POLICY
) -> Callable[[str], Any]:
    """A verifier: text to verdict, with every check and the clock at `now`."""
    at, replays = from_seconds(now), NoReplays()
    audience, nonce = (AUDIENCE, NONCE) if bound else (None, None)

    def check(text: str) -> Any:
        evidence = Evidence(text=text, audience=audience, nonce=nonce)
        return verify(evidence, bundle, policy, now=at, replays=replays)

    return check


def accepts(check: Callable[[str], Any], *, holder: str = "") -> Callable[[str], bool]:
    """Whether a desk's outcome is `accept`, and the holder's own check passed where one is due."""

    def good(text: str) -> bool:
        verdict = check(text)
        passed = not holder or any(
            c.check == "holder" and c.result == holder for c in verdict.checks
        )
        return bool(verdict.outcome == "accept" and passed)

    return good


def each(check: Callable[[str], Any], row: Sequence[str]) -> Callable[[], object]:
    """A call that judges the next of a row, for ever."""
    following = cycle(row)
    return lambda: check(next(following))
