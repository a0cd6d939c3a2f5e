"""Where the registry keeps its things: one folder, one database, one exchange folder.

The environment decides (docs/operate.md); nothing is created here.
"""

from dataclasses import dataclass
from pathlib import Path

from talentseal.commandline import base_home, keys_folder, role_home, setting

ROLE = "registry"
DATABASE = "TALENTSEAL_REGISTRY_DB"
EXCHANGE = "TALENTSEAL_EXCHANGE"


@dataclass(frozen=True, slots=True)
class Settings:
    """The places of one registry.

    database  SQLAlchemy URL
    exchange  folder in which issuers leave signed orders
    """

    home: Path
    keys: Path
    database: str
    exchange: Path

    @property
    def public(self) -> Path:
        """What the world may read: a folder per jurisdiction."""
        return self.home / "public" / "tuf"

    @property
    def publish_lock(self) -> Path:
        return self.home / "publish.lock"


def load_settings() -> Settings:
    home = role_home(ROLE)
    exchange = setting(EXCHANGE)
    return Settings(
        home=home,
        keys=keys_folder(ROLE),
        database=setting(DATABASE) or f"sqlite:///{home / 'registry.db'}",
        exchange=Path(exchange).expanduser().absolute() if exchange else base_home() / "exchange",
    )
