from issuer_rooms import (  # noqa: F401  fixtures
    bureau,
    copied,
    enrolled_home,
    enrolled_postgres,
    newcomer,
    unlisted_home,
    unlisted_postgres,
)
