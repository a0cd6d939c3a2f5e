"""How a connection is read before anything of ours sees a request: heads within bounds and time.

Uvicorn's reader for httptools takes a head of any size and waits for it as long as a caller likes.
Here a head that goes on past its cap ends its connection, as does one that is not complete in time,
and an answer that its caller has stopped reading; so a stranger can fill neither memory nor the
table of open files. What is inside the caps is judged by the door (`app`).

Standard: RFC 9112 §2 (message), §9 (connections).
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from talentseal.service.app import BODY_HAS_COME

MAX_HEAD_BYTES = 512 * 1024  # twice what one read brings, which may hold the end of a body as well
HEAD_SECONDS = 30.0
READ_SECONDS = 60.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    head_seconds  from its beginning, or that of a request, to a whole head
    read_seconds  within which a caller takes what waits to be sent, some 100 KiB
    """

    head_seconds, read_seconds = HEAD_SECONDS, READ_SECONDS
    _is_in_head, _head_bytes = True, 0
    _ends: asyncio.TimerHandle | None = None
    _reading_ends: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as uvicorn does
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_awaiting_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_ends = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_awaiting_reader()
        super().resume_writing()

    def _stop_awaiting_reader(self) -> None:
        if self._reading_ends is not None:
            self._reading_ends.cancel()
            self._reading_ends = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._await_head()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.scope["state"][BODY_HAS_COME] = True

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")
        elif self._ends is None and self._rests() and self.timeout_keep_alive_task is None:
            self._await_head()  # neither a request nor silence, such as empty lines

    def _rests(self) -> bool:
        """Whether no answer is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._stop_waiting()
        self._ends = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None

    def _give_up(self) -> None:
        if self._rests():
            self.transport.close()
        else:  # an answer to the request before is still on its way
            self._await_head()
