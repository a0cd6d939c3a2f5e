"""The wallet's own trust data: one pinned root, and what was accepted under it.

The wallet judges certificates by the same procedure as any verifier, over data that it fetched for
itself. A real root comes from outside (`--root`); only a development root is taken from the data.
Fetching is left to `talentseal.sync`, which is loaded by the commands that need it alone.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.verdict import Verdict
from talentseal.bundle import Bundle
from talentseal.commandline import setting
from talentseal.errors import BundleError, UsageError
from talentseal.files import make_private_folder, read_bounded, write_new
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.trustdb import open_bundle
from talentseal.verify import verify
from wallet_cli.places import TRUST_SOURCE, home, root_file, trust_folder

if TYPE_CHECKING:
    from talentseal.sync import Change, Pin

_MAX_ROOT_BYTES = 1024 * 1024
# Recognition is a question of the place where a certificate is shown, never of its holder.
_POLICY = Policy(name="wallet", holder="not_asked", recognition=False)


def open_trust() -> Bundle:
    """What is held; a bundle without data where nothing was synchronised yet."""
    return open_bundle(trust_folder())


def judge(evidence: Evidence, bundle: Bundle, *, now: datetime) -> Verdict:
    """The verdict of the wallet itself on something that it holds or is offered."""
    return verify(evidence, bundle, _POLICY, now=now)


def synchronise_trust(
    source: str | None, root: Path | None, *, jurisdiction: str | None = None, now: datetime
) -> Sequence["Change"]:
    """Pin a root unless one is pinned, and bring its trust data up to date.

    source  folder, zip or URL; else the setting. Raises UsageError, BundleError, UnavailableError.
    """
    from talentseal.sync import open_source, synchronise

    place = source or setting(TRUST_SOURCE)
    if place is None:
        raise UsageError(
            "there is no source of trust data",
            hint=f"Name a folder, a zip or an URL with --from, or in {TRUST_SOURCE}.",
        )
    with open_source(place) as opened:
        pin = _pinned(root) or _development_pin(place, jurisdiction)
        make_private_folder(home())
        changes = synchronise(trust_folder(), opened, pin, now=now)
    _keep(pin)
    return changes


def pin_root(root: Path) -> "Pin":
    """Keep the root that was learned from outside. Raises UsageError, BundleError."""
    pin = _pinned(root)
    if pin is None:  # a root file was named, so there is one
        raise UsageError("no root is named")
    make_private_folder(home())
    _keep(pin)
    return pin


def _pinned(root: Path | None) -> "Pin | None":
    """The root in force: the pinned one, or the one offered where none is pinned yet."""
    from talentseal.sync import Pin

    offered = Pin(read_bounded(root, _MAX_ROOT_BYTES)) if root is not None else None
    if not root_file().exists():
        if offered is not None:
            _ = offered.info  # refuses what is no root
        return offered
    held = Pin(read_bounded(root_file(), _MAX_ROOT_BYTES))
    if offered is not None and offered.root != held.root:
        raise BundleError(
            "another root is pinned already",
            code="WRONG_NETWORK",
            hint="A wallet has one root. Name another TALENTSEAL_HOME for a second wallet.",
        )
    return held


def _development_pin(place: str, jurisdiction: str | None) -> "Pin":
    from talentseal.sync import development_pin, open_source

    with open_source(place) as source:
        return development_pin(source, jurisdiction)


def _keep(pin: "Pin") -> None:
    if not root_file().exists():
        write_new(root_file(), pin.root)
