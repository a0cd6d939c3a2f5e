"""From settings to a running verifier: `verifier serve`."""

from pathlib import Path

from talentseal.commandline import role_home, setting
from talentseal.errors import UsageError
from talentseal.trustdb import open_bundle
from verifier.app import create_app
from verifier.station import (
    DEFAULT_URL,
    ROLE,
    TRUST,
    URL,
    Held,
    Station,
    load_policies,
    receipt_days,
)


def serve(*, host: str, port: int, source: str | None) -> None:
    """Serve until told to stop. Raises UsageError, UnavailableError."""
    from talentseal.service.server import serve as run

    run(create_app(station_here(source)), host=host, port=port)


def station_here(source: str | None) -> Station:
    """The verifier of this home, as its settings say."""
    home = role_home(ROLE)
    bundle = open_bundle(home / TRUST)
    if bundle.fault or bundle.home not in bundle.jurisdictions:
        raise UsageError("no trust data is held yet", hint="Run: verifier sync --from ...")
    return Station(
        home=Path(home),
        trust=Held(bundle),
        url=setting(URL) or DEFAULT_URL,
        receipt_days=receipt_days(),
        policies=load_policies(home),
    )
