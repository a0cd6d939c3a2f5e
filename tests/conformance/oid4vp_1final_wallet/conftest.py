from conformance.wallet_network import (  # noqa: F401  fixtures
    holder,
    issuer,
    person,
    prepared,
    verifier,
    world,
)
