"""Refusals over HTTP: every error as `application/problem+json` with its stable code.

An endpoint raises our errors and nothing else; here they become answers. A fault that is not one of
ours is `INTERNAL_ERROR`: its type and place are logged, its message is not, since it may quote what
somebody sent. Bodies hold no value of the request, only pointers to it.

Standard: RFC 9457 (problem details), RFC 6901 (pointers).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from schemas.problem import PROBLEMS, ProblemCode
from talentseal.encoding import dump_json
from talentseal.errors import (
    InputError,
    RefusedError,
    TalentsealError,
    UnavailableError,
    UsageError,
)

PROBLEM_TYPE = "application/problem+json"
_TEXT = {"type": "string"}
_FAULT = {"type": "object", "properties": dict.fromkeys(("pointer", "error", "message"), _TEXT)}
DOCUMENTED: dict[str, Any] = {
    "description": "A problem document (RFC 9457); `code` is stable, `errors` names every fault.",
    "content": {
        PROBLEM_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "code", "instance"],
                "properties": {
                    **dict.fromkeys(("type", "title", "detail", "code", "instance"), _TEXT),
                    "status": {"type": "integer"},
                    "errors": {"type": "array", "items": _FAULT},
                },
            }
        }
    },
}
"""What every operation may answer besides its own answers, for the interface's description."""
RETRY_SECONDS = 5
_TYPE_BASE = "https://talentseal.example/problems/"  # a name, never fetched
_MAX_FAULTS = 50

_BY_KIND = ((UnavailableError, 503), (RefusedError, 403), (InputError, 400), (UsageError, 400))
_BY_STATUS = {
    400: ProblemCode.REQUEST_INVALID,
    401: ProblemCode.UNAUTHENTICATED,
    403: ProblemCode.ROLE_MISSING,
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    406: ProblemCode.NOT_ACCEPTABLE,
    413: ProblemCode.BODY_TOO_LARGE,
    415: ProblemCode.MEDIA_TYPE_UNSUPPORTED,
    431: ProblemCode.HEADERS_TOO_LARGE,
}
# Codes of hostile bytes say more than a service needs to: the request is wrong, whatever its flaw.
_BYTES_TOO_MANY = "TOO_LARGE"


def status_of(error: TalentsealError) -> int:
    """The HTTP status that an error is answered with (docs/reason-codes.md)."""
    if error.code == ProblemCode.REQUEST_INVALID and error.errors:
        return 422
    try:
        statuses = PROBLEMS[ProblemCode(error.code)].statuses
    except ValueError:
        statuses = ()
    if statuses:
        return statuses[0]
    if error.code == _BYTES_TOO_MANY:
        return 413
    return next((status for kind, status in _BY_KIND if isinstance(error, kind)), 400)


def problem(
    status: int,
    code: str,
    title: str,
    *,
    detail: str = "",
    instance: str = "",
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem document as an answer; never to be cached."""
    body: dict[str, Any] = {
        "type": f"{_TYPE_BASE}{code.lower().replace('_', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
    }
    if errors:
        body["errors"] = list(errors)
    told = {"Cache-Control": "no-store", **(headers or {})}
    if status in (429, 503):
        told.setdefault("Retry-After", str(RETRY_SECONDS))
    if status == 401:
        told.setdefault("WWW-Authenticate", "Bearer")
    return Response(dump_json(body), status, told, PROBLEM_TYPE)


def problem_of(error: TalentsealError, *, instance: str = "") -> Response:
    """The answer to one of our errors."""
    return problem(
        status_of(error),
        error.code,
        error.message,
        detail=error.hint,
        instance=instance,
        errors=error.errors,
    )


def internal_problem(instance: str) -> Response:
    """The answer to a fault of ours; what it was is in the log, not here."""
    return problem(
        500,
        ProblemCode.INTERNAL_ERROR,
        "Something unexpected went wrong here",
        detail="Report it with the id in `instance`.",
        instance=instance,
    )


def install(app: FastAPI) -> None:
    """Answer every refusal of `app` with a problem document."""
    app.add_exception_handler(TalentsealError, ours)
    app.add_exception_handler(RequestValidationError, _shape)
    app.add_exception_handler(HTTPException, _framework)


def request_id(request: Request) -> str:
    found: str = request.scope.get("state", {}).get("request_id", "")
    return found


async def ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, TalentsealError):
        raise error
    request.state.code = error.code
    return problem_of(error, instance=request_id(request))


async def _shape(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    if isinstance(error.body, bytes):  # the framework has not read it: it is not said to be JSON
        return _kind(request)
    request.state.code = ProblemCode.REQUEST_INVALID
    return problem(
        422,
        ProblemCode.REQUEST_INVALID,
        "The request does not have the shape that is asked for",
        detail="Correct what `errors` names.",
        instance=request_id(request),
        errors=faults(error.errors()),
    )


def _kind(request: Request) -> Response:
    code = request.state.code = ProblemCode.MEDIA_TYPE_UNSUPPORTED
    return problem(
        415,
        code,
        PROBLEMS[code].meaning,
        detail="Send application/json.",
        instance=request_id(request),
    )


async def _framework(request: Request, error: Exception) -> Response:
    """Routing, methods and bodies that could not be read; our own error may stand behind it."""
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, TalentsealError):
        return await ours(request, error.__cause__)
    code = _BY_STATUS.get(error.status_code, ProblemCode.REQUEST_INVALID)
    request.state.code = code
    return problem(
        error.status_code,
        code,
        PROBLEMS[code].meaning,
        instance=request_id(request),
        headers=error.headers,
    )


def faults(found: Sequence[Any]) -> list[dict[str, str]]:
    """What pydantic found, as pointers into the body; no value of the request is repeated."""
    listed = []
    for one in found[:_MAX_FAULTS]:
        place = [str(part) for part in one["loc"] if part != "body"]
        pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in place)
        listed.append({"pointer": pointer[:200], "error": one["type"], "message": one["msg"]})
    return listed
