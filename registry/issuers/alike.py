"""Bodies that could be taken for one another: entity ids that people read as the same address.

Machines compare entity ids by octet, so `https://titles.sz.example` and `https://titles.sz.example/`
are two bodies to them and one to everybody who reads them. The second is refused. A host belongs to
the body that has it in its entity id: whoever else wants a certificate for it says so expressly.
"""

from urllib.parse import unquote

from sqlalchemy.orm import Session

from registry.issuers import repository
from talentseal.errors import RefusedError
from talentseal.x509 import host_of

_HTTPS_PORT = "443"


def check_unlike(session: Session, jurisdiction: str, entity_id: str) -> None:
    """Raises RefusedError `STATE_CONFLICT` for the id of a body that reads like another's.

    Name spaces do not overlap, so that the bodies of one jurisdiction are all that can be alike.
    """
    wanted = as_read(entity_id)
    for one in repository.entities_of(session, jurisdiction):
        if one.entity_id != entity_id and as_read(one.entity_id) == wanted:
            raise RefusedError(
                f"{entity_id} reads like {one.entity_id}, which is on the books",
                code="STATE_CONFLICT",
                hint="If it is the same body, ask under that spelling; otherwise name it another.",
            )


def as_read(entity_id: str) -> str:
    """An entity id without what readers pass over: case, port 443, escapes, idle steps."""
    address, _, path = entity_id.partition("://")[2].lower().partition("/")
    host, _, port = address.partition(":")
    port = port.lstrip("0")
    parts: list[str] = []
    for part in unquote(path).lower().split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join([host if port in {"", _HTTPS_PORT} else f"{host}:{port}", *parts])


def check_host_free(session: Session, jurisdiction: str, host: str) -> None:
    """Raises RefusedError `STATE_CONFLICT` for the host of a body on the books."""
    for one in repository.entities_of(session, jurisdiction):
        if host_of(one.entity_id) == host:
            raise RefusedError(
                f"{host} is the host of {one.entity_id}, which is on the books",
                code="STATE_CONFLICT",
                hint="If that body itself asks, say so: --same-body, or `same_body` over HTTP.",
            )
