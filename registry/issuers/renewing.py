"""Granting again: what an issuer may do, in new grants that name every key it has now.

A grant names keys, so a key that was listed later has no rights until it is granted again. Older
grants stay as they are and run out: what was sealed under them stays good, and the older keys go on
working until then.
"""

from sqlalchemy.orm import Session

from registry.issuers.granting import Scope, grant, load_statements
from registry.issuers.models import EntityRow
from registry.office import DAY_SECONDS, Office
from talentseal.errors import RefusedError
from talentseal.statements import MARK_ISSUE, Grant

Rights = tuple[
    str, frozenset[str], tuple[str, ...], tuple[str, ...] | None, int | None
]  # who grants, types, territory, professions, seconds


def renew(
    office: Office, session: Session, issuer: EntityRow, *, days: int | None = None
) -> list[Grant]:
    """Every right of an issuer that is in force, once each, granted again for all its keys.

    days  term of the new grants; None: the usual one

    Raises RefusedError for an issuer without rights, with the code of what the delegations lack,
    or `NOT_OFFERED` where a grant asks for more than this registry grants; UsageError.
    """
    held = load_statements(session, issuer.jurisdiction, ("grant", "withdrawal"))
    rights: dict[Rights, Grant] = {
        _rights(one): one
        for one in held.grants
        if one.sub == issuer.entity_id
        and one.mark_type == MARK_ISSUE
        and held.state(one, office.now) == "in force"
    }
    if not rights:
        raise RefusedError(
            f"{issuer.entity_id} has no grant in force",
            code="NOT_FOUND",
            hint="Grant it something: registry grant new",
        )
    return [_again(office, session, issuer, one, days) for one in rights.values()]


def _rights(one: Grant) -> Rights:
    return one.iss, one.vct, one.territory, one.profession, one.max_validity


def _again(
    office: Office, session: Session, issuer: EntityRow, one: Grant, days: int | None
) -> Grant:
    if one.approval_by is not None or one.quota is not None:
        raise RefusedError(
            f"{one.jti} asks for approval or sets a quota, which would be lost",
            code="NOT_OFFERED",
            hint="Such grants are sealed by their authority.",
        )
    term = None if one.max_validity is None else one.max_validity // DAY_SECONDS
    scope = Scope(sorted(one.vct), one.territory, one.profession, days, term)
    return grant(office, session, issuer, scope, authority=one.iss)
