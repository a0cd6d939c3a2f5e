"""Where the registry keeps its things: one folder, one database, one exchange folder.

The environment decides (docs/operate.md); nothing is created here.
"""

from dataclasses import dataclass
from pathlib import Path

from talentseal.commandline import base_home, keys_folder, role_home, setting
from talentseal.errors import UsageError

ROLE = "registry"
DATABASE = "TALENTSEAL_REGISTRY_DB"
EXCHANGE = "TALENTSEAL_EXCHANGE"
KEEP_DAYS = "TALENTSEAL_KEEP_DAYS"
_DEFAULT_KEEP_DAYS = 7  # the life of a timestamp: nobody admits an older one


@dataclass(frozen=True, slots=True)
class Settings:
    """The places of one registry.

    database   SQLAlchemy URL
    exchange   folder in which issuers leave signed orders
    keep_days  how long the public folder keeps what no publication names any more
    """

    home: Path
    keys: Path
    database: str
    exchange: Path
    keep_days: int = _DEFAULT_KEEP_DAYS

    @property
    def public(self) -> Path:
        """What the world may read: a folder per jurisdiction."""
        return self.home / "public" / "tuf"

    @property
    def publish_lock(self) -> Path:
        return self.home / "publish.lock"


def load_settings() -> Settings:
    """Raises UsageError."""
    home = role_home(ROLE)
    exchange = setting(EXCHANGE)
    return Settings(
        home=home,
        keys=keys_folder(ROLE),
        database=setting(DATABASE) or f"sqlite:///{home / 'registry.db'}",
        exchange=Path(exchange).expanduser().absolute() if exchange else base_home() / "exchange",
        keep_days=_keep_days(),
    )


def _keep_days() -> int:
    """Raises UsageError."""
    text = setting(KEEP_DAYS) or str(_DEFAULT_KEEP_DAYS)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text)):
        raise UsageError(f"{KEEP_DAYS} is no number of days")
    return int(text)
