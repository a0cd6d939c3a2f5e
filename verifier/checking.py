"""One check or many: inputs in, answers out, in the order in which they were given.

Every input gets the verdict of `talentseal.verify` or the problem that kept it from being judged;
no input can change the answer for another, except that the same live proof counts once. With
several processes the bundle is shared by forking: it is read-only, and nothing is sent but names
and answers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from schemas.messages import pick
from schemas.verdict import Verdict
from talentseal.bundle import Bundle
from talentseal.commandline import problem_document
from talentseal.errors import Exit, TalentsealError, UnavailableError
from talentseal.holder import Replays
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.terminal import Words, words_of
from talentseal.verify import verify
from verifier.inputs import read_input

MAX_JOBS = 64
_EXITS = {"accept": Exit.OK, "refuse": Exit.REFUSE, "refer": Exit.REFER}


class Desk(NamedTuple):
    """What every input of one run is checked by.

    audience, nonce  what the holder was asked to prove for, if anything was asked
    """

    bundle: Bundle
    policy: Policy
    now: datetime
    replays: Replays
    audience: str | None = None
    nonce: str | None = None


class Answer(NamedTuple):
    """What became of one input: a verdict, or the problem that kept it from being judged."""

    name: str
    verdict: Verdict | None
    problem: Mapping[str, str]

    @property
    def exit(self) -> Exit:
        """The exit code of a run that checked this alone."""
        return _EXITS[self.verdict.outcome] if self.verdict else Exit.UNAVAILABLE

    def document(self, lang: str) -> dict[str, Any]:
        """The member `verdict` or `problem` of this input's element."""
        if self.verdict is not None:
            return {"verdict": self.verdict.to_json(lang)}
        return {"problem": dict(self.problem)}


def check_input(name: str, desk: Desk) -> Answer:
    """Read and judge one input; a text may be refused, but never ends the run."""
    try:
        text = read_input(name)
        evidence = Evidence(text, audience=desk.audience, nonce=desk.nonce)
        verdict = verify(evidence, desk.bundle, desk.policy, now=desk.now, replays=desk.replays)
    except TalentsealError as error:
        return Answer(name, None, problem_document(error))
    return Answer(name, verdict, {})


def check_all(names: Sequence[str], desk: Desk, *, jobs: int = 1) -> Iterator[Answer]:
    """The answers in input order, as they become known. Raises UnavailableError."""
    jobs = min(jobs, len(names), MAX_JOBS)
    if jobs <= 1:
        yield from (check_input(name, desk) for name in names)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    _shared.append(desk)
    try:
        with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
            yield from pool.map(_check_shared, names)
    except BrokenProcessPool as error:
        raise UnavailableError("a process that was checking has been killed") from error
    finally:
        _shared.clear()


_shared: list[Desk] = []  # what a forked process finds; empty otherwise


def _check_shared(name: str) -> Answer:
    return check_input(name, _shared[0])


def exit_of(answers: Iterable[Answer]) -> Exit:
    """1 if any was refused, else 3 if any was referred, else 4 if any was not read, else 0."""
    seen = {answer.exit for answer in answers}
    order = (Exit.REFUSE, Exit.REFER, Exit.UNAVAILABLE)
    return next((code for code in order if code in seen), Exit.OK)


def claim_words(verdict: Verdict, bundle: Bundle, lang: str) -> Words:
    """What the type of the credential calls its claims and their values."""
    return words_of(bundle.find_type(verdict.credential.type) if verdict.credential else None, lang)


def place_facts(verdict: Verdict, bundle: Bundle, lang: str) -> Mapping[str, str]:
    """The name of the place, where a jurisdiction in the bundle is that place."""
    held = bundle.jurisdictions.get(verdict.place or "")
    return {"place": pick(held.names, lang)} if held else {}
