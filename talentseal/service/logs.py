"""The log of a service: one JSON line an event on standard error, and only fields from a list.

No claim, name, number, token, code, address with a query, body or status index can get into a line,
because a field that is not in `FIELDS` is dropped. What a fault says is not logged either, only its
type and place: its message may quote input.

Not promised: rotation and shipping, which are the operator's.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from talentseal.encoding import dump_json

FIELDS = frozenset({
    "time", "event", "level", "service", "request_id", "method", "route", "status", "duration_ms",
    "code", "role", "tenant", "issuer", "vct", "list", "jurisdiction", "version", "age_seconds",
    "count", "job", "fault", "place", "host", "port",
})  # fmt: skip
_MAX_CHARACTERS = 300


class Log:
    """Where events go: `log.info("request", route=..., status=200)`.

    stream  standard error unless another one is given
    """

    def __init__(self, service: str, stream: TextIO | None = None) -> None:
        self._service, self._stream = service, stream or sys.stderr

    def info(self, event: str, **fields: Any) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """One write a line, so that threads do not mix; a log that is gone ends nothing."""
        told = {"time": _time(), "level": level, "service": self._service, "event": event}
        told |= allow_listed(fields)
        with suppress(OSError, ValueError):
            self._stream.write(dump_json(told).decode() + "\n")
            self._stream.flush()


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def allow_listed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Only the fields above, and no long ones."""
    return {
        name: value[:_MAX_CHARACTERS] if isinstance(value, str) else value
        for name, value in fields.items()
        if name in FIELDS and value is not None
    }


class FromLibraries(logging.Handler):
    """Warnings of libraries as lines of `log`: who warns, and never with what words.

    Without it Python prints them as they are, between the lines of JSON; they may quote input.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        fields = fault_fields(fault) if fault is not None else {}
        self._log.warning("library", **{"place": record.name, **fields})


def fault_fields(error: BaseException) -> dict[str, str]:
    """Type and place of a fault, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno} {last.name}" if last else ""
    return {"fault": type(error).__name__, "place": place}
