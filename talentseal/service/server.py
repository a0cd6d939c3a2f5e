"""Running an application as a process: one socket, one line when it listens, a graceful end.

On SIGTERM or SIGINT no new connection is taken, requests at work get their answer, background jobs
finish their run, and the process leaves with 0. TLS is the reverse proxy's (docs/operate.md).
What libraries have to say goes to the service's own log, without their words.
"""

import logging
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from talentseal.errors import UnavailableError
from talentseal.service.logs import FromLibraries

if TYPE_CHECKING:
    import uvicorn

GRACE_SECONDS = 20
ENDING_SECONDS = 2
KEEP_ALIVE_SECONDS = 15
BACKLOG = 512
# How long a thread that never rests keeps the interpreter from another that wants it. Background
# jobs open, read and write a thousand times a run; at Python's own 5 ms each of them is a wait.
SWITCH_SECONDS = 0.0005


def serve(app: FastAPI, *, host: str, port: int) -> None:
    """Serve until told to stop. Port 0 takes a free one; the line on standard output names it.

    Raises UnavailableError where the address is taken or not ours.
    """
    import uvicorn

    sys.setswitchinterval(SWITCH_SECONDS)
    listener = _bind(host, port)
    address = "http://{}:{}".format(*listener.getsockname()[:2])

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(f"Listening on {address}", flush=True)

    server, told = Server(config_of(app)), FromLibraries(app.state.service.log)
    logging.getLogger().addHandler(told)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn repeats the signal once it has shut down
        pass
    finally:
        logging.getLogger().removeHandler(told)
        listener.close()
    end_what_hangs()
    if not server.started:
        raise UnavailableError("the service could not start", hint="Its log says why.")


def end_what_hangs() -> None:
    """Leave at once where a thread is still at work: a device that never answers holds it."""
    ending = time.monotonic() + ENDING_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, ending - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                os._exit(0)


def config_of(app: FastAPI) -> "uvicorn.Config":
    """How every service reads connections: bounded heads, nothing but HTTP, no log of its own."""
    import uvicorn

    from talentseal.service.protocol import BoundedProtocol

    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UnavailableError(
            f"cannot listen on {host}:{port}", hint="Is another process there? Try --port 0."
        ) from error
    return listener
