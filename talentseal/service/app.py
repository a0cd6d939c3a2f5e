"""One web application as all three services want it: strict at the door, quiet, measured.

`new_app` gives an application whose every request passes one door: an id, caps on headers and body,
a limit per address, a limit of requests at work, one log line, one measurement. Errors are problem
documents. `/healthz` says that the process lives, `/readyz` that what it needs is there, `/metrics`
gives the numbers. Bodies in JSON go through the strict reader of `talentseal.encoding`.
What a service does is its own.

Standard: RFC 9457; draft-ietf-httpapi-ratelimit-headers for the two headers of the limit.
"""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.problem import PROBLEMS, ProblemCode
from talentseal.commandline import setting
from talentseal.encoding import dump_json
from talentseal.errors import InputError, TalentsealError, UnavailableError, UsageError
from talentseal.service import problems
from talentseal.service.forms import parse_body
from talentseal.service.jobs import Repeating
from talentseal.service.limits import Limiter, Rate, Room, Stay, near, parse_rate
from talentseal.service.logs import Log, fault_fields
from talentseal.service.metrics import CONTENT_TYPE, Metrics

VERSION = "0.1.0"
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024
MAX_BODY_BYTES = 256 * 1024
MAX_BODY_MEMBERS = 10_000
# Settings that somebody made for other programs must not have the framework send away what calls
# were made: our own log and numbers say what may be known.
_SILENT: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "auto_configure": False,
}  # fmt: skip
BODY_SECONDS = 30.0
# A caller who is answered before its body has come reads that once it has sent it, or not at all.
LINGER_SECONDS, LINGER_BYTES = 5.0, 16 * 1024 * 1024
BODY_HAS_COME = "body_has_come"  # of a request's state: set by who reads the connection
CALLER_GONE = 499  # in the log and the numbers alone, for a caller who left before the answer
RATE_LIMIT = "TALENTSEAL_RATE_LIMIT"
MAX_RUNNING = "TALENTSEAL_MAX_RUNNING"
_DEFAULT_RATE = Rate(6000, 60)
_DEFAULT_RUNNING = 200
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_UNMATCHED = "unmatched"
JSON = "application/json"
_IDENTITY = b"identity"
# Of these a second one is refused: whoever reads the last would see another request than we do.
_ONCE = (b"authorization", b"content-encoding", b"content-type", b"idempotency-key")
_PLAIN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)

Ready = Callable[[], object]
"""Raises one of our errors where something that the service needs is missing."""


@dataclass(frozen=True)
class Service:
    """What a running service has besides its endpoints; `app.state.service`.

    body_caps     path prefix -> bytes, where a body may be larger than `MAX_BODY_BYTES`
    ready         name of a part -> what raises when it is missing
    body_seconds  from the beginning of a request to the end of its body
    plain         method and path -> a route that the door calls itself (`include_plain`)
    """

    name: str
    log: Log
    metrics: Metrics = field(default_factory=Metrics)
    body_caps: Mapping[str, int] = field(default_factory=dict)
    ready: Mapping[str, Ready] = field(default_factory=dict)
    rate: Rate = _DEFAULT_RATE
    max_running: int = _DEFAULT_RUNNING
    body_seconds: float = BODY_SECONDS
    plain: dict[tuple[str, str], APIRoute] = field(default_factory=dict)

    def job(
        self,
        name: str,
        work: Callable[[], object],
        *,
        every_seconds: float,
        run_at_end: bool = False,
    ) -> Repeating:
        """Work that is done again and again, told in this service's log and numbers."""
        return Repeating(
            name,
            work,
            every_seconds=every_seconds,
            log=self.log,
            metrics=self.metrics,
            run_at_end=run_at_end,
        )


def new_service(
    name: str, *, ready: Mapping[str, Ready], body_caps: Mapping[str, int] | None = None
) -> Service:
    """A service with the limits that its settings name. Raises UsageError."""
    named = setting(RATE_LIMIT)
    rate = parse_rate(named, RATE_LIMIT) if named else _DEFAULT_RATE
    running = setting(MAX_RUNNING) or str(_DEFAULT_RUNNING)
    if not (running.isascii() and running.isdigit() and 0 < int(running) <= 100_000):
        raise UsageError(f"{MAX_RUNNING} is no number of requests")
    return Service(
        name, Log(name), body_caps=body_caps or {}, ready=ready, rate=rate,
        max_running=int(running),
    )  # fmt: skip


class Job(Protocol):
    """Whatever runs in the background between `start` and `stop`."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def new_app(title: str, service: Service, *, jobs: Callable[[], Sequence[Job]] = tuple) -> FastAPI:
    """An application with its door; endpoints are added to it.

    jobs  made and started with the application, stopped with it; those that repeat are found in
          `app.state.jobs` by name
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            made = jobs()
            app.state.jobs = {job.name: job for job in made if isinstance(job, Repeating)}
            for job in made:
                job.start()
                stack.push_async_callback(run_in_threadpool, job.stop)
            yield

    app = FastAPI(
        title=title,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        responses={"default": problems.DOCUMENTED},
        telemetry=_SILENT,
    )
    app.router.route_class = StrictRoute
    app.state.service, app.state.jobs = service, {}
    problems.install(app)
    _add_health(app, service)
    app.add_middleware(Door, service=service)
    return app


class StrictRequest(Request):
    """A request whose JSON is read as everything foreign is: strictly."""

    async def json(self) -> Any:
        return parse_body(
            await self.body(), max_bytes=_body_cap(self), max_members=MAX_BODY_MEMBERS
        )


def _body_cap(request: Request) -> int:
    cap: int = request.scope["state"].get("body_cap", MAX_BODY_BYTES)
    return cap


class StrictRoute(APIRoute):
    """A route that reads bodies by `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class PlainRoute(APIRoute):
    """A route whose endpoint takes the request alone: nothing is injected, nor paid for."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def include_plain(app: FastAPI, router: APIRouter) -> None:
    """Add a router; its plain routes, which are most of what is asked, pay for no search either."""
    app.include_router(router)
    for route in router.routes:
        if isinstance(route, PlainRoute):
            app.state.service.plain.update(
                {(name, route.path): route for name in route.methods or ()}
            )


# --- health ---------------------------------------------------------------------------------------


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], responses={503: _documented("A part is missing.", JSON)})
    def readyz() -> Response:
        """Everything that the service needs is there; 503 and the part's name where not."""
        found = {name: _state(ask) for name, ask in service.ready.items()}
        is_ready = all(one["ok"] for one in found.values())
        body = {"status": "ready" if is_ready else "not_ready", "parts": found}
        return Response(dump_json(body), 200 if is_ready else 503, _no_store(), JSON)

    @app.get(
        "/metrics",
        tags=["health"],
        response_class=Response,
        responses={200: _documented("Numbers for Prometheus.", "text/plain")},
    )
    def metrics() -> Response:
        """Numbers for Prometheus."""
        return Response(service.metrics.text(), headers=_no_store(), media_type=CONTENT_TYPE)


def _documented(description: str, media_type: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {}}}


def _no_store() -> dict[str, str]:
    return {"Cache-Control": "no-store"}


def _state(ask: Ready) -> dict[str, Any]:
    """`ask` may return facts, such as the age of a list."""
    try:
        facts = ask()
    except TalentsealError as error:
        return {"ok": False, "code": error.code, "detail": error.message}
    return {"ok": True, **(facts if isinstance(facts, dict) else {})}


# --- the door -------------------------------------------------------------------------------------


class Door:
    """What every request passes, written as bare ASGI because everything pays for it."""

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self._app, self._service = app, service
        self._room = Room(service.max_running)
        self._limiter = Limiter(service.rate)
        service.metrics.running.set_function(lambda: self._room.at_work)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, receive, send, self._service)
        try:
            refusal = self._refusal(visit)
            if refusal is None:
                await self._pass(visit)
            else:
                await refusal(scope, visit.receive, visit.send)
        finally:
            visit.tell()
        await visit.end()  # takes the place of nobody, however long the body takes to come

    async def _pass(self, visit: "Visit") -> None:
        visit.stay = self._room.enter(visit.address, visit.hurry if visit.awaits_body() else None)
        try:
            route = self._service.plain.get((visit.scope["method"], visit.path))
            if route is None:
                await self._app(visit.scope, visit.receive, visit.send)
            else:
                await _call(route, visit)
        except ClientDisconnect:
            visit.status = CALLER_GONE  # nobody reads an answer, and nothing is wrong here
        except Exception as error:  # noqa: BLE001  the outermost door of a service
            visit.fault = error
            visit.scope["state"]["code"] = ProblemCode.INTERNAL_ERROR
            if not visit.status:
                answer = problems.internal_problem(visit.request_id)
                await answer(visit.scope, visit.receive, visit.send)
        finally:
            visit.stay.leave()

    def _refusal(self, visit: "Visit") -> Response | None:
        if visit.path in _PLAIN_PATHS:
            return None
        if self._room.is_full:
            return visit.refuse(503, ProblemCode.OVERLOADED)
        wait = self._wait_for(visit)
        if wait is not None:
            return visit.refuse(429, ProblemCode.RATE_LIMITED, {"Retry-After": str(wait)})
        return visit.refusal()

    def _wait_for(self, visit: "Visit") -> int | None:
        """Seconds to wait where an address has asked too often; says what is left otherwise."""
        use = self._limiter.use(visit.address, time.monotonic())
        visit.told += (
            (b"ratelimit-policy", self._limiter.policy),
            (b"ratelimit", b'"default";r=%d;t=%d' % (use.left, use.seconds)),
        )
        return None if use.is_allowed else use.seconds


async def _call(route: APIRoute, visit: "Visit") -> None:
    """Answer by a plain route, as the application would."""
    visit.scope["route"] = route
    request = Request(visit.scope, visit.receive, visit.send)
    try:
        response: Response = await route.endpoint(request)
    except TalentsealError as error:
        response = await problems.ours(request, error)
    await response(visit.scope, visit.receive, visit.send)


class Visit:
    """One request on its way through: its id, its caps, what came of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, service: Service) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._service, self._begun = service, time.perf_counter()
        self.path: str = scope["path"]
        client = scope.get("client")
        self.address = near(client[0] if client else "")
        self.stay: Stay | None = None  # where it takes the place of others
        self._timer: asyncio.Timeout | None = None  # of the wait for its body
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.request_id = self._given_id() or secrets.token_hex(16)
        self.body_cap = next(
            (cap for prefix, cap in service.body_caps.items() if self.path.startswith(prefix)),
            MAX_BODY_BYTES,
        )
        self.status = 0
        self.fault: Exception | None = None
        self.told: tuple[tuple[bytes, bytes], ...] = ()
        self._read, self._is_whole, self._is_kept_open = 0, False, False
        self._deadline, self._is_hurried = self._begun + service.body_seconds, False
        scope.setdefault("state", {}).update(request_id=self.request_id, body_cap=self.body_cap)

    def _given_id(self) -> str | None:
        given = self.headers.get(b"x-request-id", b"").decode("latin-1")
        return given if _REQUEST_ID.fullmatch(given) else None

    def refusal(self) -> Response | None:
        """The answer to the first thing that is wrong with the head of the request."""
        if self._headers_too_large():
            return self.refuse(431, ProblemCode.HEADERS_TOO_LARGE)
        doubled = self._doubled()
        if doubled:
            return self.refuse(400, ProblemCode.REQUEST_INVALID, detail=f"Send {doubled} once.")
        if self.headers.get(b"content-encoding", _IDENTITY).lower() != _IDENTITY:
            told = {"Accept-Encoding": _IDENTITY.decode()}  # RFC 9110 §15.5.16
            return self.refuse(415, ProblemCode.MEDIA_TYPE_UNSUPPORTED, told)
        if self.declared_bytes() > self.body_cap:
            return self.refuse(413, ProblemCode.BODY_TOO_LARGE, {"Connection": "close"})
        return None

    def _doubled(self) -> str:
        """The name of a header that stands twice where one reader would take either; or ""."""
        pairs = self.scope["headers"]
        if len(self.headers) == len(pairs):
            return ""
        names = [name for name, _ in pairs]
        return next((one.decode() for one in _ONCE if names.count(one) > 1), "")

    def _headers_too_large(self) -> bool:
        pairs = self.scope["headers"]
        size = sum(len(name) + len(value) + 4 for name, value in pairs)
        target = len(self.scope.get("raw_path") or b"") + len(self.scope["query_string"])
        return size > MAX_HEADER_BYTES or len(pairs) > MAX_HEADERS or target > MAX_TARGET_BYTES

    def declared_bytes(self) -> int:
        length = self.headers.get(b"content-length", b"0")
        return int(length) if length.isdigit() and len(length) < 16 else 0

    def refuse(
        self,
        status: int,
        code: ProblemCode,
        headers: Mapping[str, str] | None = None,
        *,
        detail: str = "",
    ) -> Response:
        self.scope["state"]["code"] = code
        title, instance = PROBLEMS[code].meaning, self.request_id
        return problems.problem(
            status, code, title, detail=detail, instance=instance, headers=headers
        )

    async def receive(self) -> Message:
        """The next piece of the body, within its cap and its time."""
        if self._is_whole:
            return await self._receive()  # waits for the caller to go away
        has_come = self.scope["state"].get(BODY_HAS_COME)  # then nothing is waited for
        message = await (self._receive() if has_come else self._receive_in_time())
        self._read += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._is_whole and self.stay is not None:
            self.stay.begin()
        if self._read > self.body_cap:
            raise InputError(
                "the body is over its cap",
                code="BODY_TOO_LARGE",
                hint=f"At most {self.body_cap} bytes.",
            )
        return message

    def hurry(self) -> None:
        """Wait for the body no longer: others need the place."""
        self._is_hurried, self._deadline = True, 0.0
        if self._timer is not None:
            self._timer.reschedule(asyncio.get_running_loop().time())

    async def _receive_in_time(self) -> Message:
        left = max(0.0, self._deadline - time.perf_counter())
        try:
            async with asyncio.timeout(left) as self._timer:
                return await self._receive()
        except TimeoutError as error:
            raise self._late() from error
        finally:
            self._timer = None

    def _late(self) -> TalentsealError:
        """Why the body is waited for no longer: its sender's fault only if it had all its time."""
        if self._is_hurried:
            return UnavailableError(
                "others need the place", code="OVERLOADED", hint="Try again later."
            )
        return InputError(
            "the body did not arrive in time", code="REQUEST_TIMEOUT", hint="Send it again."
        )

    async def send(self, message: Message) -> None:
        """The end of an answer, which may end the connection, is kept back for `end` where a body
        is still to come.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *_HEADERS, *self.told]
            headers.append((b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": headers}
        elif message.get("more_body") and self.stay is not None:
            await self._send_to_reader(message, self.stay)
            return
        elif not self._is_whole and self.awaits_body():
            self._is_kept_open = True
            message = {**message, "more_body": True}
        await self._send(message)

    async def _send_to_reader(self, message: Message, stay: Stay) -> None:
        """A piece of an answer that goes on. Raises ClientDisconnect for who had to give way."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as timer:
                stay.await_reader(self.address, lambda: timer.reschedule(loop.time()))
                await self._send(message)
        except TimeoutError as error:
            raise ClientDisconnect from error
        finally:
            stay.go_on()
        if stay.gave_way:  # at the last moment
            raise ClientDisconnect

    def awaits_body(self) -> bool:
        """Whether a body was announced that had not come with the head."""
        is_announced = self.declared_bytes() > 0 or b"transfer-encoding" in self.headers
        return is_announced and not self.scope["state"].get(BODY_HAS_COME)

    async def end(self) -> None:
        """Read away what still comes of the body, then end the answer: a reset would overtake it.

        Standard: RFC 9112 §9.6.
        """
        if not self._is_kept_open:
            return
        left = LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(min(LINGER_SECONDS, self._service.body_seconds)):
                while left > 0 and (message := await self._receive()).get("more_body"):
                    left -= len(message["body"])
        await self._send({"type": "http.response.body", "body": b""})

    def tell(self) -> None:
        """One line and one measurement; the route as its template, never the address."""
        seconds = time.perf_counter() - self._begun
        found = self.scope.get("route")
        route = getattr(found, "path", None) or _UNMATCHED
        method = self.scope["method"]
        self._service.metrics.answered(method, route, self.status, seconds)
        fields = {
            "request_id": self.request_id, "method": method, "route": route,
            "status": self.status, "duration_ms": round(seconds * 1000, 2),
            "code": self.scope["state"].get("code"),
        }  # fmt: skip
        if self.fault is not None:
            self._service.log.error("request", **fields, **fault_fields(self.fault))
        else:
            self._service.log.info("request", **fields)
