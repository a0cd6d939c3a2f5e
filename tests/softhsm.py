"""A token in software, in a folder of its own: SoftHSM2, as a signing device that can be lost."""

import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from parts import need

from talentseal.pkcs11 import DeviceSettings

PIN = "836152"
_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token with a label nobody else has. `SOFTHSM2_CONF` must lead to `folder`."""

    folder: Path
    label: str
    module: Path

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    @property
    def settings(self) -> DeviceSettings:
        return DeviceSettings(self.module, self.pin_file)

    def uri(self, label: str = "sealing") -> str:
        return f"pkcs11:token={self.label};object={label}"

    def write_pin(self, pin: str = PIN) -> None:
        self.pin_file.write_text(f"{pin}\n")
        self.pin_file.chmod(0o600)

    def take_away(self) -> None:
        (self.folder / "tokens").rename(self.folder / "away")

    def bring_back(self) -> None:
        (self.folder / "away").rename(self.folder / "tokens")


def make_token(folder: Path, patch: pytest.MonkeyPatch) -> Token:
    """A fresh token, which this process and its children find from now on."""
    module = _module()
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    settings = (f"directories.tokendir = {folder / 'tokens'}", "objectstore.backend = file",
                "log.level = ERROR", "")  # fmt: skip
    configuration.write_text("\n".join(settings))
    patch.setenv("SOFTHSM2_CONF", str(configuration))
    token = Token(folder, f"t{uuid.uuid4().hex[:20]}", module)
    init = ["--init-token", "--free", "--label", token.label, "--pin", PIN, "--so-pin", "914027"]
    subprocess.run(["softhsm2-util", *init], check=True, capture_output=True, timeout=30)
    token.write_pin()
    patch.setenv("TALENTSEAL_PKCS11_MODULE", str(module))
    patch.setenv("TALENTSEAL_PKCS11_PIN_FILE", str(token.pin_file))
    return token


def _module() -> Path:
    named = os.environ.get("TALENTSEAL_PKCS11_MODULE")
    found = next((path for path in (named, *_PLACES) if path and Path(path).exists()), None)
    present = found is not None and shutil.which("softhsm2-util") is not None
    need("SoftHSM2", present=present, remedy="apt install softhsm2")
    need("python-pkcs11", present=_has_library(), remedy='pip install "talentseal[hsm]"')
    return Path(found or "")


def _has_library() -> bool:
    from importlib.util import find_spec

    return find_spec("pkcs11") is not None
