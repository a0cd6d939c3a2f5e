"""Who calls: the operator behind a bearer token, and the roles that a route asks for."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from registry.house import House
from registry.operators.service import ADMIN, READER, REGISTRAR, find_operator
from talentseal.service.auth import Actor, bearer_of

# For the interface's description; the token itself is read by `bearer_of`.
BEARER = HTTPBearer(auto_error=False, description="Token of `registry operator new`.")
ADMINS = (ADMIN,)
REGISTRARS = (ADMIN, REGISTRAR)
ANYONE = (ADMIN, REGISTRAR, READER)


def operator(house: House, roles: tuple[str, ...]) -> Callable[..., Actor]:
    """A dependency: the calling operator, who has one of `roles`.

    It raises RefusedError `UNAUTHENTICATED` or `ROLE_MISSING`, before the body is looked at.
    """

    def found(request: Request, _: Annotated[object, Depends(BEARER)]) -> Actor:
        actor = find_operator(house.office, bearer_of(request.headers.get("authorization")))
        actor.require(*roles)
        return actor

    return found
