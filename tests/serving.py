"""A real server around an application, for as long as a test needs it, on a free port."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import uvicorn
from fastapi import FastAPI

PATIENCE_SECONDS = 60  # of a caller, on a busy machine


def http_client(url: object = "") -> httpx2.Client:
    """For plain HTTP to this machine: for TLS it trusts nobody, so it loads no authorities."""
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.Client(
        base_url=str(url), trust_env=False, timeout=PATIENCE_SECONDS, verify=nobody
    )


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve `app`; its base URL. Lifespan, jobs and the graceful end are the real ones."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait(server)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


def _wait(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
