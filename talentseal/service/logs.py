"""The log of a service: one JSON line an event on standard error, and only fields from a list.

No claim, name, number, token, code, address with a query, body or status index can get into a line,
because a field that is not in `FIELDS` is dropped. What a fault says is not logged either, only its
type and place: its message may quote input.

Not promised: rotation and shipping, which are the operator's.
"""

import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol, TextIO

FIELDS = frozenset({
    "time", "event", "level", "service", "request_id", "method", "route", "status", "duration_ms",
    "code", "role", "tenant", "issuer", "vct", "list", "jurisdiction", "version", "age_seconds",
    "count", "job", "fault", "place", "host", "port",
})  # fmt: skip
_MAX_CHARACTERS = 300


class Log(Protocol):
    """Where events go: `log.info("request", route=..., status=200)`."""

    def info(self, event: str, /, **fields: Any) -> Any: ...
    def warning(self, event: str, /, **fields: Any) -> Any: ...
    def error(self, event: str, /, **fields: Any) -> Any: ...


def service_log(service: str, stream: TextIO | None = None) -> Log:
    """The log of one service, on standard error unless a stream is given."""
    import structlog

    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            allow_listed,
            structlog.processors.JSONRenderer(),
        ],
        service=service,
    )
    return log


def allow_listed(_log: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Only the fields above, and no long ones."""
    return {name: _short(value) for name, value in event.items() if name in FIELDS}


def _short(value: Any) -> Any:
    return value[:_MAX_CHARACTERS] if isinstance(value, str) else value


def fault_fields(error: BaseException) -> dict[str, str]:
    """Type and place of a fault, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno} {last.name}" if last else ""
    return {"fault": type(error).__name__, "place": place}
