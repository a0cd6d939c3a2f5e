"""Who calls: the officer behind a bearer token, and the roles that a route asks for."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from issuer.office import Office
from issuer.officers.service import find_officer
from talentseal.service.auth import Actor, bearer_of

# For the interface's description; the token itself is read by `bearer_of`.
BEARER = HTTPBearer(auto_error=False, description="Token of `issuer officer new`.")


def officer(office: Office, *roles: str) -> Callable[..., Actor]:
    """A dependency: the calling officer, who has one of `roles` (any officer where none is named).

    It raises RefusedError `UNAUTHENTICATED` or `ROLE_MISSING`, before the body is looked at.
    """

    def found(request: Request, _: Annotated[object, Depends(BEARER)]) -> Actor:
        actor = find_officer(office, bearer_of(request.headers.get("authorization")))
        if roles:
            actor.require(*roles)
        return actor

    return found
