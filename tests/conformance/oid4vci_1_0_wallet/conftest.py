from conformance.wallet_network import (  # noqa: F401  fixtures
    holder,
    issuer,
    verifier,
)
from wallet_rooms import person, prepared, world  # noqa: F401  fixtures
