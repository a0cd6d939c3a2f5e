from wallet_rooms import holder, newcomer, person, prepared, world  # noqa: F401  fixtures
