"""A registry in a folder of its own, driven by its real commands, and a stranger who reads it."""

import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.cli import app
from schemas.registry import ENROLMENT_REQUEST_TYP, STATUS_ORDER_TYP
from talentseal.commandline import now, run
from talentseal.encoding import dump_json, to_seconds
from talentseal.errors import Exit
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner

SZ, HK = "CN/4403", "HK"
STATION = "https://titles.sz.example"  # the issuer that every prepared registry has


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Desk:
    """One registry. `TALENTSEAL_HOME` must lead to `home`."""

    home: Path

    @property
    def public(self) -> Path:
        return self.home / "registry" / "public" / "tuf"

    @property
    def orders(self) -> Path:
        return self.home / "exchange" / "orders"

    @property
    def database(self) -> str:
        own = f"sqlite:///{self.home / 'registry' / 'registry.db'}"
        return os.environ.get("TALENTSEAL_REGISTRY_DB") or own

    def run(self, *argv: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app, list(argv), name="registry")
        return Ran(code, out.getvalue(), err.getvalue())

    def ask(self, *argv: str) -> Any:
        """The document of a command that succeeds."""
        ran = self.run(*argv, "--json")
        assert ran.code == Exit.OK, ran.err
        return json.loads(ran.out)

    def refused(self, *argv: str) -> tuple[int, str]:
        """Exit code and reason code of a command that does not."""
        ran = self.run(*argv, "--json")
        assert ran.code != Exit.OK, ran.out
        return ran.code, json.loads(ran.out)["code"]

    # what issuers send

    def request(self, signer: SoftwareSigner, iss: str = STATION, /, **changes: Any) -> str:
        """An enrolment request in a file; returns its path."""
        claims = {
            "iss": iss,
            "iat": to_seconds(now()),
            "jwk": signer.public.jwk,
            "names": {"en": "Example Titles Office", "zh-Hans": "示例职称办"},
            **changes,
        }
        return self.write_request(claims, signer, kid=signer.public.kid)

    def write_request(
        self,
        claims: Mapping[str, Any],
        signer: SoftwareSigner,
        *,
        kid: str,
        typ: str = ENROLMENT_REQUEST_TYP,
    ) -> str:
        text = sign_jws(dump_json(claims), {"typ": typ, "kid": kid}, signer)
        path = self.home / "request.jws"
        path.write_text(text)
        return str(path)

    def order(
        self,
        signer: SoftwareSigner,
        seq: int,
        changes: Sequence[tuple[str, int, int]],
        /,
        *,
        name: str = "",
        **claims: Any,
    ) -> Path:
        """A status order in the exchange folder."""
        payload = {
            "iss": STATION,
            "jti": f"order-{seq}",
            "iat": to_seconds(now()),
            "seq": seq,
            "changes": [{"uri": uri, "idx": idx, "value": value} for uri, idx, value in changes],
            **claims,
        }
        header = {"typ": STATUS_ORDER_TYP, "kid": signer.public.kid}
        path = self.orders / f"{name or f'order-{seq}'}.jws"
        path.write_text(sign_jws(dump_json(payload), header, signer))
        return path

    # what the world reads

    def read(self, code: str) -> dict[str, bytes]:
        """Every target of a jurisdiction, as the reference client of TUF admits it."""
        return read_repository(self.public / code.replace("/", "-"))


def read_repository(folder: Path) -> dict[str, bytes]:
    """All targets of the repository in `folder`, by the reference client; nothing is trusted."""
    from tuf.ngclient import Updater

    root = (folder / "metadata" / "1.root.json").read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        metadata, targets = Path(scratch) / "metadata", Path(scratch) / "targets"
        metadata.mkdir()
        targets.mkdir()
        updater = Updater(
            str(metadata),
            "folder://metadata/",
            target_dir=str(targets),
            target_base_url="folder://targets/",
            fetcher=folder_fetcher(folder),
            bootstrap=root,
        )
        updater.refresh()
        updater.get_targetinfo("status/head.json")
        named: dict[str, Any] = {}
        for role in ("targets", "status"):
            named |= json.loads((metadata / f"{role}.json").read_bytes())["signed"]["targets"]
        return {path: _download(updater, path) for path in named}


def _download(updater: Any, path: str) -> bytes:
    info = updater.get_targetinfo(path)
    assert info is not None, f"{path} is not delegated"
    return Path(updater.download_target(info)).read_bytes()


def folder_fetcher(folder: Path) -> Any:
    from tuf.api.exceptions import DownloadHTTPError
    from tuf.ngclient import FetcherInterface

    class FolderFetcher(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            path = folder / url.removeprefix("folder://")
            if not path.is_file():
                raise DownloadHTTPError("not there", 404)
            return iter([path.read_bytes()])

    return FolderFetcher()
