"""`POST /v1/checks` and `/v1/checks/batch`: questions in, verdicts out, whatever they say."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive, Scope, Send

from schemas.messages import resolve_language
from schemas.verdict import Verdict
from schemas.verdict_document import VerdictDocument
from talentseal import qr
from talentseal.commandline import problem_document
from talentseal.encoding import dump_json
from talentseal.errors import InputError, TalentsealError
from talentseal.service.app import PlainRoute
from talentseal.service.forms import check_media_type, media_type_of
from talentseal.service.limits import near
from talentseal.service.turns import WAITING_FOR_EACH, Crowd, Turns
from verifier.checks.service import (
    MAX_LINE_BYTES,
    MAX_LINES,
    MEMBERS,
    Proof,
    Question,
    answer_at_once,
    confirmed,
    parse_question,
    question_of,
)
from verifier.inputs import text_in
from verifier.receipts.service import Receipts
from verifier.station import Station

RECEIPT = "Talentseal-Receipt"
NDJSON = "application/x-ndjson"
MAX_FILE_BODY_BYTES = qr.MAX_FILE_BYTES + 64 * 1024
MAX_BATCH_BYTES = 64 * 1024 * 1024
BODY_CAPS = {"/v1/checks/batch": MAX_BATCH_BYTES, "/v1/checks": MAX_FILE_BODY_BYTES}
_PROOFS_AT_ONCE = 4  # their memory is written by one at a time
# One slice of them all is judged at a time, so more at once would only take places of others.
_BATCHES_AT_ONCE, _BATCHES_OF_ONE = 32, 8
_SLICE = 50  # as many lines are judged before others get their turn
_TEXT = {"type": "string"}
_QUESTION = {
    "type": "object",
    "required": ["evidence"],
    "additionalProperties": False,
    "properties": {
        "evidence": {**_TEXT, "description": "SD-JWT VC, presentation, or the text of a code."},
        "policy": {**_TEXT, "default": "default"},
        "place": {"type": ["string", "null"], "examples": ["CN/4403"]},
        "purpose": {"type": ["string", "null"], "examples": ["employment"]},
        "audience": {"type": ["string", "null"]},
        "nonce": {"type": ["string", "null"]},
    },
}
_FILE = {"type": "string", "format": "binary", "description": "PNG, JPEG, WebP, PDF or text."}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": _FILE, **dict.fromkeys(sorted(MEMBERS - {"evidence"}), _TEXT)},
}
_BODY = {"application/json": {"schema": _QUESTION}, "multipart/form-data": {"schema": _FORM}}
_ONE = {"requestBody": {"required": True, "content": _BODY}}
_LINES = {NDJSON: {"schema": _TEXT}}
_MANY = {
    "requestBody": {"required": True, "content": _LINES},
    "responses": {"200": {"description": "One line an answer.", "content": _LINES}},
}


def checks_router(station: Station, receipts: Receipts) -> APIRouter:
    router = APIRouter(prefix="/v1/checks", tags=["checks"], route_class=PlainRoute)
    readers = station.file_readers
    turns = Turns(readers, waiting=readers * WAITING_FOR_EACH)
    crowd = Crowd(_BATCHES_AT_ONCE, of_one=_BATCHES_OF_ONE)
    places = _Places(asyncio.Semaphore(), asyncio.Semaphore(_PROOFS_AT_ONCE))
    proofs = Turns(_PROOFS_AT_ONCE, waiting=_PROOFS_AT_ONCE * WAITING_FOR_EACH)

    @router.post("", openapi_extra=_ONE, responses={200: {"model": VerdictDocument}})
    async def check(request: Request) -> Response:
        """Check one certificate. The answer is 200 with the verdict, whatever it says."""
        question = await _question(request, turns)
        verdict, proof = answer_at_once(station, question)
        if proof is not None:
            async with proofs.turn():
                verdict = await run_in_threadpool(confirmed, station, question, verdict, proof)
        headers = {
            "Cache-Control": "no-store",
            RECEIPT: receipts.take(verdict, question.evidence),
        }
        body = dump_json(verdict.to_json(_language(request)))
        return Response(body, headers=headers, media_type="application/json")

    @router.post("/batch", openapi_extra=_MANY)
    async def check_many(request: Request) -> Response:
        """Check many: a question a line in, an answer a line out, in order."""
        check_media_type(request, NDJSON)
        address = near(request.client.host if request.client else "")
        lines = _lines(await request.body())
        crowd.check_room(address)
        answers = _answers(places, station, receipts, lines, _language(request))
        return _Answers(answers, crowd, address)

    return router


def _language(request: Request) -> str:
    return resolve_language(request.headers.get("accept-language", "en").partition(",")[0])


# --- one ------------------------------------------------------------------------------------------


async def _question(request: Request, turns: Turns) -> Question:
    if media_type_of(request) == "multipart/form-data":
        return await _question_with_file(request, turns)
    check_media_type(request, "application/json")
    return parse_question(await request.body())


async def _question_with_file(request: Request, turns: Turns) -> Question:
    try:
        form = await request.form(max_files=1, max_fields=8, max_part_size=64 * 1024)
    except TalentsealError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, TalentsealError):
            raise error.__cause__ from error
        raise InputError("the form cannot be read", code="REQUEST_INVALID") from error
    try:
        members: dict[str, Any] = {}
        for name, value in form.multi_items():
            if name in members:
                raise InputError(f"{name[:64]} is given twice", code="REQUEST_INVALID")
            members[name] = value
        file = members.pop("file", None)
        if not isinstance(file, UploadFile) or "evidence" in members:
            raise InputError("the form has one part `file`", code="REQUEST_INVALID")
        members["evidence"] = await _text_of(file, turns)
    finally:
        await form.close()
    return question_of(members)


async def _text_of(file: UploadFile, turns: Turns) -> str:
    """Pictures and PDFs are read in threads, so many at once: each may take hundreds of megabytes.

    The file stays on disk until its turn has come.
    """
    async with turns.turn():
        data = await file.read(qr.MAX_FILE_BYTES + 1)
        if len(data) > qr.MAX_FILE_BYTES:
            raise InputError("the file is over its cap", code="BODY_TOO_LARGE")
        return await run_in_threadpool(text_in, data)


# --- many -----------------------------------------------------------------------------------------


def _lines(body: bytes) -> Sequence[bytes]:
    lines = body.split(b"\n")
    if not lines[-1].strip():
        lines.pop()
    if not lines or len(lines) > MAX_LINES:
        raise InputError(f"1 to {MAX_LINES} lines are wanted", code="REQUEST_INVALID")
    return lines


class _Answers(StreamingResponse):
    """A batch on its way: one of those at work, but not while its caller reads."""

    def __init__(self, answers: AsyncIterator[bytes], crowd: Crowd, address: str) -> None:
        super().__init__(answers, headers={"Cache-Control": "no-store"}, media_type=NDJSON)
        self._crowd, self._address = crowd, address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_to_reader(message: Message) -> None:
            with self._crowd.away(self._address):
                await send(message)

        with self._crowd.joined(self._address):
            await super().__call__(scope, receive, send_to_reader)


class _Places(NamedTuple):
    """What slices of all batches wait for: to be judged, and to ask the memory of proofs."""

    judging: asyncio.Semaphore
    remembering: asyncio.Semaphore


async def _answers(
    places: _Places,
    station: Station,
    receipts: Receipts,
    lines: Sequence[bytes],
    lang: str,
) -> AsyncIterator[bytes]:
    """A line that is wrong gets its problem and ends nothing.

    Of all batches one slice is judged at a time: several threads would judge no faster together,
    and the refresher of trust data would have to wait for each of them. Whoever waits for the
    memory of proofs waits outside, in few threads: the others are for those who show none.
    """
    for start in range(0, len(lines), _SLICE):
        part = lines[start : start + _SLICE]
        async with places.judging:
            found = await run_in_threadpool(_judge_all, station, part)
        async with places.remembering if any(map(_has_proof, found)) else nullcontext():
            told = await run_in_threadpool(_told, station, receipts, found, start + 1, lang)
        yield told


_Found = tuple[Question, Verdict, Proof | None] | TalentsealError


def _has_proof(one: _Found) -> bool:
    return not isinstance(one, TalentsealError) and one[2] is not None


def _judge_all(station: Station, lines: Sequence[bytes]) -> Sequence[_Found]:
    return [_judged(station, line) for line in lines]


def _judged(station: Station, line: bytes) -> _Found:
    try:
        question = parse_question(line, max_bytes=MAX_LINE_BYTES)
        return question, *answer_at_once(station, question)
    except TalentsealError as error:
        return error


def _told(
    station: Station, receipts: Receipts, found: Sequence[_Found], first: int, lang: str
) -> bytes:
    """A step is taken over all of them: a signature check leaves nothing else in the caches."""
    settled = [_settled(station, one) for one in found]
    told: list[dict[str, Any]] = []
    for number, one in enumerate(settled, first):
        if isinstance(one, TalentsealError):
            told.append({"line": number, "problem": problem_document(one)})
        else:
            question, verdict = one
            receipts.take(verdict, question.evidence)
            told.append({"line": number, "verdict": verdict.to_json(lang)})
    return b"".join([dump_json(one) + b"\n" for one in told])


def _settled(station: Station, one: _Found) -> tuple[Question, Verdict] | TalentsealError:
    """With the word of the memory of proofs, where one was shown; it may have to wait."""
    if isinstance(one, TalentsealError):
        return one
    question, verdict, proof = one
    if proof is None:
        return question, verdict
    try:
        return question, confirmed(station, question, verdict, proof)
    except TalentsealError as error:
        return error
