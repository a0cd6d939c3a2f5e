"""From a settled plan to bytes: the seal itself, with every secret and chance passed in.

A draft has the form and the size of the certificate and no signature: it is judged before a status
index is taken or the key is used, so that a refusal costs nothing and leaves nothing behind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha512
from typing import Any

from issuer.issuance.models import Place, Plan, Sealed, code_text
from talentseal import cwt, sdjwt
from talentseal.cwt import LANGUAGES
from talentseal.encoding import digits_encode
from talentseal.errors import InputError, RefusedError
from talentseal.keys import PublicKey, Signer
from talentseal.qr import version_of

MAX_SYMBOL_VERSION = 22
_CTI_BYTES = 16
_LAST_INDEX = 2**20 - 1  # the longest to write: no real code becomes larger than its draft
_SPARE_DIGITS = "0" * 20  # unless compressed: other signatures take up to eight bytes more
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class NoSigner:
    """Stands where a key would: bytes of the right length that no one takes for a signature."""

    public: PublicKey

    def sign(self, message: bytes) -> bytes:
        return sha512(message).digest()


def draft(plan: Plan, uri: str, public: PublicKey, *, random: Random) -> tuple[Plan, Sealed]:
    """The certificate unsigned, and the plan with the languages that its code has room for.

    Raises RefusedError `TOO_LARGE` for a code that no symbol of the permitted size holds.
    """
    places = dict.fromkeys(plan.order.forms, (uri, _LAST_INDEX))
    for settled in (plan, replace(plan, one_language=True)):
        made = seal(settled, places, NoSigner(public), random=random)
        if made.code is None or _fits(made.code, settled):
            return settled, made
    raise RefusedError(
        f"the code would need a symbol beyond version {MAX_SYMBOL_VERSION}",
        code="TOO_LARGE",
        hint="Shorten the texts that enter the code, or seal for the wallet alone.",
    )


def _fits(code: bytes, plan: Plan) -> bool:
    try:
        text = code_text(code, plan.order)
        if not text.endswith(digits_encode(code)):
            text += _SPARE_DIGITS
        return version_of(text, level=plan.order.level) <= MAX_SYMBOL_VERSION
    except InputError:  # beyond every version
        return False


def seal(plan: Plan, places: Mapping[str, Place], signer: Signer, *, random: Random) -> Sealed:
    """Every form of the plan, each with its own status index.

    random  the system's generator: salts, decoys, and the identifier of a code without a holder
    """
    order, text, code = plan.order, None, None
    if order.wallet is not None:
        text = sdjwt.issue(
            order.claims,
            plan.envelope(places["wallet"]),
            plan.kind,
            holder_jwk=order.wallet.jwk,
            signer=signer,
            x5c=plan.x5c,
            randomness=random,
        )
    if order.forms[-1] != "wallet":
        claims = order.claims
        if plan.one_language:
            claims = in_one_language(claims, order.languages)
        code = cwt.issue(
            claims,
            plan.envelope(places[order.forms[-1]]),
            plan.kind,
            holder=order.code,
            languages=order.languages,
            signer=signer,
            identifier=random(_CTI_BYTES),
        )
    return Sealed(text, code)


def in_one_language(value: Any, languages: Sequence[str]) -> Any:
    """Claims whose texts by language are cut to the best of them; all else stays."""
    if not isinstance(value, Mapping):
        return value
    if value and value.keys() <= set(LANGUAGES):
        best = next(one for one in (*languages, *LANGUAGES) if one in value)
        return {best: value[best]}
    return {name: in_one_language(item, languages) for name, item in value.items()}
