"""From settings to a running verifier: `verifier serve`."""

from talentseal.commandline import now, role_home, setting
from talentseal.errors import UsageError
from verifier.access import load_access
from verifier.app import create_app
from verifier.offline.pin import stored_pin
from verifier.offline.refresh import Refresher
from verifier.presentations.queries import load_queries
from verifier.station import (
    DEFAULT_URL,
    ROLE,
    TRUST,
    URL,
    Station,
    TrustSource,
    file_readers,
    load_policies,
    receipt_days,
)

SOURCE = "TALENTSEAL_TRUST_SOURCE"
REFRESH = "TALENTSEAL_REFRESH_SECONDS"
NAME = "TALENTSEAL_VERIFIER_NAME"
_REFRESH_SECONDS = 60


def serve(*, host: str, port: int, source: str | None) -> None:
    """Serve until told to stop. Raises UsageError, UnavailableError."""
    from talentseal.service.server import serve as run

    home = role_home(ROLE)
    place = source or setting(SOURCE)
    pin = stored_pin(home)
    if pin is None or place is None:
        raise UsageError(
            "a service needs a pinned root and a source of trust data",
            hint=f"Run `verifier init --root FILE`, and give --from or set {SOURCE}.",
        )
    seconds = refresh_seconds()
    refresher = Refresher(home / TRUST, place, pin, every_seconds=seconds, clock=now)
    refresher.refresh_now()
    run(create_app(station_here(refresher)), host=host, port=port)


def refresh_seconds() -> int:
    """How often trust data is brought. Raises UsageError."""
    text = setting(REFRESH) or str(_REFRESH_SECONDS)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text)):
        raise UsageError(f"{REFRESH} is no number of seconds")
    return int(text)


def station_here(trust: TrustSource) -> Station:
    """The verifier of this home, as its settings say."""
    home = role_home(ROLE)
    url = (setting(URL) or DEFAULT_URL).rstrip("/")
    return Station(
        home=home,
        trust=trust,
        url=url,
        receipt_days=receipt_days(),
        file_readers=file_readers(),
        name=setting(NAME) or url.partition("://")[2],
        access=load_access(home),
        policies=load_policies(home),
        queries=load_queries(home),
    )
