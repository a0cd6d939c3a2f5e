"""One check over HTTP: a question in JSON or with a file, and the verdict of the one procedure.

The question is read by hand, because most of the service's work is here: the strict reader has
typed its members, and a member that is not known is refused. A credential may be as bad as it
likes, the answer is a verdict; only a question that is wrong itself is an error.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from schemas.territory import parse_territory
from schemas.verdict import Verdict
from talentseal.errors import UsageError
from talentseal.holder import Replays
from talentseal.policy import PURPOSES
from talentseal.reading import Evidence
from talentseal.service.forms import parse_body
from talentseal.verify import verify
from verifier.station import Station

MAX_QUESTION_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024
MAX_LINES = 10_000
MAX_TEXT = 512
_TEXTS = frozenset((str, type(None)))
MEMBERS = frozenset(("evidence", "policy", "place", "purpose", "audience", "nonce"))


class Question(NamedTuple):
    """What is to be checked, and what for.

    evidence         an SD-JWT VC, a presentation, or the text of a code
    policy           name of a policy of this verifier
    place, purpose   what the check is for, if it is declared
    audience, nonce  what the holder was asked to prove, if anything
    """

    evidence: str
    policy: str = "default"
    place: str | None = None
    purpose: str | None = None
    audience: str | None = None
    nonce: str | None = None


def parse_question(data: bytes, *, max_bytes: int = MAX_QUESTION_BYTES) -> Question:
    """Read a question. Raises InputError, or UsageError `REQUEST_INVALID` with every fault."""
    return question_of(parse_body(data, max_bytes=max_bytes))


def question_of(members: Mapping[str, Any]) -> Question:
    """Raises UsageError `REQUEST_INVALID` with every fault."""
    if not (
        members.keys() <= MEMBERS
        and set(map(type, members.values())) <= _TEXTS
        and members.get("evidence") is not None
    ):
        _refuse(_shape_faults(members))
    question = Question(**{name: value for name, value in members.items() if value is not None})
    _check_values(question)
    return question


def _shape_faults(members: Mapping[str, Any]) -> list[dict[str, str]]:
    faults = [
        _fault(name, "extra_forbidden", "no such member") for name in members.keys() - MEMBERS
    ]
    faults += [
        _fault(name, "string_type", "a text is wanted")
        for name in sorted(MEMBERS & members.keys())
        if not isinstance(members[name], str | None)
    ]
    if not isinstance(members.get("evidence"), str):
        faults.append(_fault("evidence", "missing", "the text to be checked is wanted"))
    return faults


def _check_values(question: Question) -> None:
    faults = []
    if question.place is not None and parse_territory(question.place) is None:
        faults.append(_fault("place", "value_error", "no territory such as CN/4403"))
    if question.purpose is not None and question.purpose not in PURPOSES:
        faults.append(_fault("purpose", "value_error", f"one of {', '.join(sorted(PURPOSES))}"))
    faults += [
        _fault(name, "string_too_long", f"at most {MAX_TEXT} characters")
        for name in ("audience", "nonce")
        if len(getattr(question, name) or "") > MAX_TEXT
    ]
    if faults:
        _refuse(faults)


def _fault(name: str, error: str, message: str) -> dict[str, str]:
    return {"pointer": f"/{name[:64]}", "error": error, "message": message}


def _refuse(faults: list[dict[str, str]]) -> NoReturn:
    error = UsageError("the question cannot be answered", hint="Correct what `errors` names.")
    error.errors = faults
    raise error


class Proof(NamedTuple):
    """What is to be remembered of a holder's proof: its digest, and until when (NumericDate)."""

    key: bytes
    until: int


class _Unasked:
    """Takes a proof for new and keeps what its memory is still to be asked."""

    proof: Proof | None = None

    def first_use(self, key: bytes, *, until: int) -> bool:
        self.proof = Proof(key, until)
        return True


class _Used:
    """Knows every proof already."""

    def first_use(self, key: bytes, *, until: int) -> bool:
        del key, until
        return False


def answer_at_once(station: Station, question: Question) -> tuple[Verdict, Proof | None]:
    """The verdict; where a proof was shown, one that holds only if `confirmed` says so.

    The memory of proofs is a file that others may hold: it is asked where waiting stops nobody
    else. Raises UsageError for an unknown policy.
    """
    unasked = _Unasked()
    verdict = _judge(station, question, unasked)
    return verdict, unasked.proof


def confirmed(station: Station, question: Question, verdict: Verdict, proof: Proof) -> Verdict:
    """The verdict for a proof that is new, or another one. May wait for the memory of proofs.

    Raises UnavailableError where the proof cannot be remembered.
    """
    if station.replays().first_use(proof.key, until=proof.until):
        return verdict
    return _judge(station, question, _Used())


def _judge(station: Station, question: Question, replays: Replays) -> Verdict:
    policy = station.policy(question.policy, place=question.place, purpose=question.purpose)
    evidence = Evidence(question.evidence, audience=question.audience, nonce=question.nonce)
    now = station.clock()
    return verify(evidence, station.trust.bundle, policy, now=now, replays=replays)
