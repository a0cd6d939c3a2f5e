"""Recognitions: what one jurisdiction takes from another, for which purpose and place.

Directional, scoped and dated; "mutual" is two of them. The other jurisdiction must be known here,
since its entity id is what the statement names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from registry.issuers.granting import end_of_term, keep, root_signer
from registry.jurisdictions.repository import get_jurisdiction
from registry.naming import check_scope
from registry.office import Office
from schemas.types import type_id_of
from talentseal import statements
from talentseal.encoding import format_time
from talentseal.errors import UsageError
from talentseal.statements import OnEnd, Recognition
from talentseal.trust import all_inside

DEFAULT_DAYS = 365


@dataclass(frozen=True, slots=True)
class NewRecognition:
    """What is asked for. Empty places: all of the other, all of one's own."""

    home: str
    origin: str
    vct: Sequence[str]
    purpose: Sequence[str]
    issued_in: Sequence[str] = ()
    valid_in: Sequence[str] = ()
    profession: Sequence[str] | None = None
    on_end: OnEnd = "grandfather"
    days: int | None = None


def recognise(office: Office, session: Session, wanted: NewRecognition) -> Recognition:
    """Raises UsageError for places outside the two jurisdictions, or an unknown purpose."""
    check_scope((*wanted.issued_in, *wanted.valid_in), wanted.profession)
    home = get_jurisdiction(session, wanted.home)
    origin = get_jurisdiction(session, wanted.origin)
    if home.code == origin.code:
        raise UsageError("a jurisdiction does not recognise itself: its own rights hold there")
    issued_in = list(wanted.issued_in) or list(origin.territory)
    valid_in = list(wanted.valid_in) or list(home.territory)
    for places, row in ((issued_in, origin), (valid_in, home)):
        if not all_inside(places, row.territory):
            raise UsageError(f"{', '.join(places)} does not lie inside {row.code}")
    unknown = set(wanted.purpose) - statements.PURPOSES
    if unknown or not wanted.purpose:
        raise UsageError(f"a purpose is one of {', '.join(sorted(statements.PURPOSES))}")
    text = statements.seal_recognition(
        signer=root_signer(office, session, home),
        iss=home.entity_id,
        sub=origin.entity_id,
        jti=office.new_id("r"),
        iat=office.now,
        nbf=office.start,
        exp=end_of_term(office, "recognition", wanted.days, DEFAULT_DAYS),
        vct=wanted.vct,
        issued_in=issued_in,
        valid_in=valid_in,
        purpose=wanted.purpose,
        on_end=wanted.on_end,
        profession=wanted.profession,
    )
    recognition: Recognition = keep(office, session, home.code, "recognition", text)
    return recognition


def describe(statement: Recognition, state: str) -> dict[str, Any]:
    """A recognition for people and machines."""
    return {
        "jti": statement.jti,
        "kind": "recognition",
        "state": state,
        "from": statement.iss,
        "to": statement.sub,
        "types": [type_id_of(vct) or vct for vct in sorted(statement.vct)],
        "issued_in": list(statement.issued_in),
        "valid_in": list(statement.valid_in),
        "profession": None if statement.profession is None else list(statement.profession),
        "purpose": sorted(statement.purpose),
        "on_end": statement.on_end,
        "nbf": format_time(statement.nbf),
        "exp": format_time(statement.exp),
    }
