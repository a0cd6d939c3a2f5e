"""Services that start in a fraction of a second, so that they can be killed many times.

Most of a start is the loading of libraries. A process of the standard library's own kind (a fork
server) loads them once and opens nothing; each service is a process of its own that it forks, runs
the role's real command and is killed like any other. Nothing but loaded code is shared.
"""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

_LOADED = [
    f"{role}.{module}"
    for role, modules in {
        "registry": ("cli", "app", "publishing.service"),
        "issuer": ("cli", "app", "duties"),
        "verifier": ("cli", "app", "serving"),
    }.items()
    for module in modules
] + ["talentseal.service.server", "uvicorn.protocols.http.httptools_impl", "psycopg", "alembic"]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_LOADED)


class WarmProcess:
    """`ROLE serve --port PORT`, listening once this is made; `url` is where."""

    def __init__(
        self, role: str, *, settings: Mapping[str, str], folder: Path, port: int = 0
    ) -> None:
        heard, said = _CONTEXT.Pipe(duplex=False)
        environment = {**os.environ, **settings}
        log = folder / f"{role}.log"
        self._process = _CONTEXT.Process(
            target=_serve, args=(role, port, environment, folder, log, said), daemon=True
        )
        self._process.start()
        said.close()
        with heard, os.fdopen(os.dup(heard.fileno())) as lines:
            line = lines.readline()
        assert line.startswith("Listening on http://127.0.0.1:"), log.read_text()[-4000:]
        self.url = line.removeprefix("Listening on ").strip()

    def kill(self) -> None:
        """As a power cut does."""
        assert self._process.pid is not None
        if self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.join(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _serve(
    role: str, port: int, environment: Mapping[str, str], folder: Path, log: Path, said: Connection
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(said.fileno(), 1)
    with log.open("a") as errors:
        os.dup2(errors.fileno(), 2)
    importlib.import_module(f"{role}.cli").main(["serve", "--port", str(port)])
