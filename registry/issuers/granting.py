"""Delegations, grants and their withdrawals: who may seal what, where and until when.

The root delegates, an authority grants, and every grant embeds its delegation; a root that grants
directly first delegates to itself. Every statement read from the database is checked against the
keys again, so an edited row is noticed and never published. Which keys sign: those kept here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from registry.issuers import repository
from registry.issuers.alike import check_unlike
from registry.issuers.models import EntityRow, StatementRow
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import get_jurisdiction
from registry.naming import check_names, check_scope, is_body
from registry.office import DAY_SECONDS, Office
from schemas.types import TYPE_IDS, type_id_of, vct_of
from talentseal import statements
from talentseal.encoding import format_time
from talentseal.endings import effect_at
from talentseal.errors import InputError, RefusedError, UnavailableError, UsageError
from talentseal.keys import PublicKey, SoftwareSigner
from talentseal.statements import (
    MARK_ISSUE,
    MARK_STATUS,
    Delegation,
    Grant,
    Recognition,
    Withdrawal,
    ceil_hour,
    check_within,
    floor_hour,
)
from talentseal.trust import all_inside

Right = Delegation | Grant | Recognition

MAX_VALIDITY_DAYS = 36_500
MAX_DAYS = {"delegation": 3 * 365, "grant": 2 * 365, "recognition": 365}
DEFAULT_GRANT_DAYS = 365
RENEWAL_SECONDS = 30 * DAY_SECONDS  # before its end the right to publish status is granted again


@dataclass
class Statements:
    """All statements of one jurisdiction, every one checked."""

    delegations: list[Delegation] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    recognitions: list[Recognition] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)

    def get(self, jti: str) -> Right:
        every: list[Right] = [*self.delegations, *self.grants, *self.recognitions]
        return next(one for one in every if one.jti == jti)

    def endings(self, statement: Right) -> Sequence[Withdrawal]:
        """The withdrawals of one statement."""
        return self._by_statement.get(statement.sha256, ())

    @cached_property
    def _by_statement(self) -> dict[str, list[Withdrawal]]:
        found: dict[str, list[Withdrawal]] = {}
        for withdrawal in self.withdrawals:
            found.setdefault(withdrawal.statement_s256, []).append(withdrawal)
        return found

    def state(self, statement: Right, now: int) -> str:
        """`in force`, `not yet`, `over`, or how it was ended."""
        effect = effect_at(self.endings(statement), now, now=now)
        if effect.word is not None:
            return effect.word.lower().replace("_", " ")
        if now < statement.nbf:
            return "not yet"
        return "in force" if now < statement.exp else "over"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a right covers. `profession` None: any; `days` None: the usual term.

    max_validity_days  how long a certificate may last; None sets no limit of its own
    """

    vct: Sequence[str]
    territory: Sequence[str]
    profession: Sequence[str] | None = None
    days: int | None = None
    max_validity_days: int | None = None

    @property
    def max_validity(self) -> int | None:
        """In seconds. Raises UsageError for a limit that cannot be meant."""
        days = self.max_validity_days
        if days is not None and not 0 < days <= MAX_VALIDITY_DAYS:
            raise UsageError(f"a certificate lasts 1 to {MAX_VALIDITY_DAYS} days")
        return None if days is None else days * DAY_SECONDS


# --- reading --------------------------------------------------------------------------------------

_PARSERS: Mapping[str, tuple[Any, str]] = {
    "delegation": (statements.parse_delegation, "delegations"),
    "grant": (statements.parse_grant, "grants"),
    "recognition": (statements.parse_recognition, "recognitions"),
    "withdrawal": (statements.parse_withdrawal, "withdrawals"),
}


def load_statements(
    session: Session,
    jurisdiction: str,
    kinds: Collection[str] | None = None,
    *,
    subject: str | None = None,
) -> Statements:
    """Every statement of a jurisdiction, or those of some kinds, each checked again.

    subject  entity id: only what is about it, with every withdrawal

    Raises UnavailableError `STATEMENT_SIGNATURE` for a row that was altered.
    """
    keys = signing_keys(session, jurisdiction)
    every = {kid: key for held in keys.values() for kid, key in held.items()}
    found = Statements()
    for row in repository.statements_of(session, jurisdiction, kinds):
        if subject is not None and row.kind != "withdrawal" and row.subject != subject:
            continue
        parse, place = _PARSERS[row.kind]
        getattr(found, place).append(_checked(row, parse, every))
    return found


def _checked(row: StatementRow, parse: Any, keys: Mapping[str, PublicKey]) -> Any:
    try:
        statement = parse(row.jws, keys=keys)
    except InputError as error:
        raise _altered(row) from error
    if (statement.jti, statement.sha256, statement.iss) != (row.jti, row.sha256, row.issuer):
        raise _altered(row)
    return statement


def _altered(row: StatementRow) -> UnavailableError:
    return UnavailableError(
        f"the statement {row.jti} in the database is not the one that was signed",
        code="STATEMENT_SIGNATURE",
        hint="Restore the last backup; nothing was published.",
    )


def signing_keys(session: Session, jurisdiction: str) -> dict[str, dict[str, PublicKey]]:
    """The statement keys of the root and of every authority, by entity id."""
    found: dict[str, dict[str, PublicKey]] = {}
    for entity in repository.entities_of(session, jurisdiction, ("root", "authority")):
        keys = public_keys(session, entity, "statement")
        found.setdefault(entity.entity_id, {}).update({key.kid: key for key in keys})
    return found


def public_keys(session: Session, entity: EntityRow, purpose: str) -> list[PublicKey]:
    return [PublicKey.from_jwk(row.jwk) for row in repository.keys_of(session, entity, purpose)]


# --- delegating -----------------------------------------------------------------------------------


def delegate(
    office: Office,
    session: Session,
    jurisdiction: str,
    authority: str,
    scope: Scope,
    *,
    names: Mapping[str, str] | None = None,
) -> Delegation:
    """The root's delegation to an authority (or `root`); a new authority needs names.

    Raises UsageError, RefusedError `DELEGATION_WIDENED`.
    """
    check_scope(scope.territory, scope.profession)
    row = get_jurisdiction(session, jurisdiction)
    entity = _authority(office, session, row, authority, names or {})
    if not all_inside(scope.territory, row.territory):
        raise RefusedError(
            f"a delegation of {row.code} stays inside {', '.join(row.territory)}",
            code="DELEGATION_WIDENED",
        )
    text = statements.seal_delegation(
        signer=root_signer(office, session, row),
        iss=row.entity_id,
        sub=entity.entity_id,
        jti=office.new_id("d"),
        iat=office.now,
        nbf=office.start,
        exp=end_of_term(office, "delegation", scope.days, MAX_DAYS["delegation"]),
        mark_type=MARK_ISSUE,
        jkt=[key.kid for key in public_keys(session, entity, "statement")],
        vct=scope.vct,
        territory=scope.territory,
        profession=scope.profession,
        max_validity=scope.max_validity,
    )
    delegation: Delegation = keep(office, session, row.code, "delegation", text)
    return delegation


def _authority(
    office: Office,
    session: Session,
    row: JurisdictionRow,
    authority: str,
    names: Mapping[str, str],
) -> EntityRow:
    found = find_authority(session, row, authority)
    if found is not None:
        return found
    if not is_body(authority, row.namespaces):
        raise UsageError(f"{authority} is no https URL inside the name spaces of {row.code}")
    if not names:
        raise UsageError(f"{authority} is new here", hint="Name it: --name en=...")
    check_names(names)
    check_unlike(session, row.code, authority)
    entity = repository.add_entity(
        session, row.code, entity_id=authority, kind="authority", names=dict(names), now=office.now
    )
    public = office.new_key().public
    repository.add_key(session, entity, public, purpose="statement", nbf=office.start)
    return entity


def find_authority(session: Session, row: JurisdictionRow, authority: str) -> EntityRow | None:
    """An authority by entity id; `root` or the root's own id is the root."""
    if authority in ("root", row.entity_id):
        return repository.find_entity(session, row.code, row.entity_id, "root")
    return repository.find_entity(session, row.code, authority, "authority")


def root_signer(office: Office, session: Session, row: JurisdictionRow) -> SoftwareSigner:
    root = repository.find_entity(session, row.code, row.entity_id, "root")
    keys = public_keys(session, root, "statement") if root else []
    return _signer(office, keys, row.entity_id)


def _signer(office: Office, keys: Sequence[PublicKey], whose: str) -> SoftwareSigner:
    signer = office.first_signer([key.kid for key in keys])
    if signer is None:
        raise RefusedError(
            f"the statement key of {whose} is not kept in this registry",
            code="NOT_OFFERED",
            hint="Statements that an authority signs elsewhere come in a later version.",
        )
    return signer


def end_of_term(office: Office, kind: str, days: int | None, usual: int) -> int:
    chosen = usual if days is None else days
    if not 0 < chosen <= MAX_DAYS[kind]:
        raise UsageError(f"a {kind} lasts 1 to {MAX_DAYS[kind]} days")
    return office.start + chosen * DAY_SECONDS


# --- granting -------------------------------------------------------------------------------------


def grant(
    office: Office,
    session: Session,
    issuer: EntityRow,
    scope: Scope,
    *,
    authority: str = "root",
) -> Grant:
    """A grant to an issuer for all its keys, under the first delegation that covers it.

    Raises UsageError, or RefusedError with the code of what the delegations lack.
    """
    check_scope(scope.territory, scope.profession)
    row = get_jurisdiction(session, issuer.jurisdiction)
    granting = find_authority(session, row, authority)
    if granting is None:
        raise UsageError(
            f"{authority} is no authority of {row.code}",
            code="NOT_FOUND",
            hint="Delegate to it first: registry grant delegate",
        )
    keys = public_keys(session, granting, "statement")
    signer = _signer(office, keys, granting.entity_id)
    jkt = [key.kid for key in public_keys(session, issuer, "credential")]
    fault = "DELEGATION_MISSING"
    for delegation in _usable_delegations(office, session, row, granting):
        text = _seal_grant(office, issuer, scope, jkt=jkt, delegation=delegation, signer=signer)
        found = statements.parse_grant(text, keys={signer.public.kid: signer.public})
        broken = check_within(found, delegation)
        if signer.public.kid in delegation.jkt and broken is None:
            kept: Grant = keep(office, session, row.code, "grant", text)
            return kept
        fault = broken or "AUTHORITY_KEY_UNBOUND"
    raise RefusedError(
        f"no delegation to {granting.entity_id} covers such a grant",
        code=fault,
        hint="Narrow the grant, or delegate more: registry grant delegate",
    )


def _usable_delegations(
    office: Office, session: Session, row: JurisdictionRow, granting: EntityRow
) -> list[Delegation]:
    held = load_statements(session, row.code, ("delegation", "withdrawal"))
    found = [
        one
        for one in held.delegations
        if one.sub == granting.entity_id
        and one.mark_type == MARK_ISSUE
        and held.state(one, office.now) == "in force"
    ]
    if found or granting.kind != "root":
        return found
    whole = Scope([vct_of(name) for name in TYPE_IDS], row.territory)
    return [delegate(office, session, row.code, "root", whole)]


def _seal_grant(
    office: Office,
    issuer: EntityRow,
    scope: Scope,
    *,
    jkt: Sequence[str],
    delegation: Delegation,
    signer: SoftwareSigner,
) -> str:
    exp = end_of_term(office, "grant", scope.days, DEFAULT_GRANT_DAYS)
    if scope.days is None:
        exp = min(exp, delegation.exp)
    return statements.seal_grant(
        signer=signer,
        iss=delegation.sub,
        sub=issuer.entity_id,
        jti=office.new_id("g"),
        iat=office.now,
        nbf=max(office.start, delegation.nbf),
        exp=exp,
        mark_type=MARK_ISSUE,
        jkt=jkt,
        vct=scope.vct,
        territory=scope.territory,
        profession=scope.profession,
        max_validity=scope.max_validity or delegation.max_validity,
        delegation=delegation.jws,
    )


def grant_status_publishing(
    office: Office, session: Session, row: JurisdictionRow, provider: EntityRow, prefix: str
) -> None:
    """The right to publish status below `prefix`: the root delegates to itself and grants it."""
    root = repository.find_entity(session, row.code, row.entity_id, "root")
    signer = root_signer(office, session, row)
    delegation = statements.seal_delegation(
        signer=signer,
        iss=row.entity_id,
        sub=row.entity_id,
        jti=office.new_id("d"),
        exp=end_of_term(office, "delegation", None, MAX_DAYS["delegation"]),
        mark_type=MARK_STATUS,
        jkt=[key.kid for key in public_keys(session, root, "statement")] if root else [],
        uri_prefix=[prefix],
        iat=office.now,
        nbf=office.start,
    )
    text = statements.seal_grant(
        signer=signer,
        iss=row.entity_id,
        sub=provider.entity_id,
        jti=office.new_id("g"),
        exp=end_of_term(office, "grant", None, MAX_DAYS["grant"]),
        mark_type=MARK_STATUS,
        jkt=[key.kid for key in public_keys(session, provider, "status")],
        uri_prefix=[prefix],
        delegation=delegation,
        iat=office.now,
        nbf=office.start,
    )
    keep(office, session, row.code, "delegation", delegation)
    keep(office, session, row.code, "grant", text)


def keep_status_right(office: Office, session: Session, row: JurisdictionRow, prefix: str) -> None:
    """Grant the right to publish status again before it runs out, or where none is in force.

    Without it every certificate of the jurisdiction would be of unknown status, and revoked ones
    would be refused no longer; the keys are kept here, so nobody has to remember.
    """
    provider = next(iter(repository.entities_of(session, row.code, ("status",))), None)
    if provider is None:
        return
    kinds = ("grant", "withdrawal")
    held = load_statements(session, row.code, kinds, subject=provider.entity_id)
    later = office.now + RENEWAL_SECONDS
    for one in held.grants:
        lasts = one.exp > later and held.state(one, office.now) == "in force"
        if one.mark_type == MARK_STATUS and prefix in one.uri_prefix and lasts:
            return
    grant_status_publishing(office, session, row, provider, prefix)


# --- withdrawing ----------------------------------------------------------------------------------


def withdraw(
    office: Office,
    session: Session,
    jti: str,
    *,
    kinds: Iterable[str],
    effect: str,
    at: int | None,
    reason: str,
    retroactive: bool = False,
) -> Withdrawal:
    """End a statement, by its signer's key if it is kept here, else by the root's.

    at  when the effect begins; None: now. Rounded to a full hour, down for an end, up for `resume`

    Raises UsageError, RefusedError `STATEMENT_RETROACTIVE`, `STATE_CONFLICT`, or `NOT_OFFERED` for
    the right to publish status.
    """
    stored = repository.get_statement(session, jti)
    if stored.kind not in kinds:
        raise UsageError(f"{jti} is a {stored.kind}", code="NOT_FOUND")
    moment = office.now if at is None else at
    if floor_hour(moment) < floor_hour(office.now) and not retroactive:
        raise RefusedError(
            f"{format_time(moment)} is past: holders have relied on that statement since",
            code="STATEMENT_RETROACTIVE",
            hint="Add --retroactive if that is meant.",
        )
    _check_turn(session, stored, effect, moment)
    row = get_jurisdiction(session, stored.jurisdiction)
    signer = _withdrawing_signer(office, session, row, stored.issuer)
    text = statements.seal_withdrawal(
        signer=signer,
        iss=stored.issuer if _is_key_of(session, row, stored.issuer, signer) else row.entity_id,
        jti=office.new_id("w"),
        iat=office.now,
        statement=stored.jti,
        statement_s256=stored.sha256,
        effect=effect,
        at=ceil_hour(moment) if effect == "resume" else floor_hour(moment),
        reason=reason,
        retroactive=floor_hour(moment) < floor_hour(office.now),
    )
    withdrawal: Withdrawal = keep(office, session, row.code, "withdrawal", text)
    return withdrawal


def _check_turn(session: Session, stored: StatementRow, effect: str, moment: int) -> None:
    """`resume` lifts a suspension and nothing else; what was ended for good stays ended."""
    held = load_statements(session, stored.jurisdiction, (stored.kind, "withdrawal"))
    statement = held.get(stored.jti)
    if not isinstance(statement, Recognition) and statement.mark_type == MARK_STATUS:
        raise RefusedError(
            f"{stored.jti} lets {stored.jurisdiction} publish status: without it no certificate"
            " from there could be told from a revoked one",
            code="NOT_OFFERED",
            hint="To stop an issuer, end its own grant: registry grant list",
        )
    word = effect_at(held.endings(statement), moment, now=moment).word
    allowed = ("SUSPENDED",) if effect == "resume" else (None, "SUSPENDED", "UNDER_REVIEW")
    if word not in allowed and effect != "void":
        state = word.lower().replace("_", " ") if word else "not suspended"
        raise RefusedError(
            f"{stored.jti} is {state}: `{effect}` does not fit", code="STATE_CONFLICT"
        )


def _withdrawing_signer(
    office: Office, session: Session, row: JurisdictionRow, issuer: str
) -> SoftwareSigner:
    entity = find_authority(session, row, issuer)
    keys = public_keys(session, entity, "statement") if entity else []
    own = office.first_signer([key.kid for key in keys])
    return own or root_signer(office, session, row)


def _is_key_of(session: Session, row: JurisdictionRow, issuer: str, signer: SoftwareSigner) -> bool:
    return signer.public.kid in signing_keys(session, row.code).get(issuer, {})


# --- keeping and showing --------------------------------------------------------------------------


def keep(office: Office, session: Session, jurisdiction: str, kind: str, text: str) -> Any:
    """Store a statement after reading it back as everybody else will."""
    parse, _ = _PARSERS[kind]
    keys = signing_keys(session, jurisdiction)
    statement = parse(text, keys={k: key for held in keys.values() for k, key in held.items()})
    subject = statement.statement if kind == "withdrawal" else statement.sub
    repository.add_statement(
        session,
        StatementRow(
            jti=statement.jti,
            jurisdiction=jurisdiction,
            kind=kind,
            issuer=statement.iss,
            subject=subject,
            jws=text,
            sha256=statement.sha256,
            nbf=getattr(statement, "nbf", None),
            exp=getattr(statement, "exp", None),
            created_at=office.now,
        ),
    )
    office.note(session, kind, statement.jti)
    return statement


def describe(statement: Delegation | Grant, state: str) -> dict[str, Any]:
    """A right for people and machines."""
    kind = "delegation" if isinstance(statement, Delegation) else "grant"
    return {
        "jti": statement.jti,
        "kind": kind,
        "state": state,
        "from": statement.iss,
        "to": statement.sub,
        "types": [type_id_of(vct) or vct for vct in sorted(statement.vct)],
        "territory": list(statement.territory),
        "profession": None if statement.profession is None else list(statement.profession),
        "max_validity_days": _days(statement.max_validity),
        "uri_prefix": list(statement.uri_prefix),
        "nbf": format_time(statement.nbf),
        "exp": format_time(statement.exp),
    }


def _days(seconds: int | None) -> int | None:
    return None if seconds is None else seconds // DAY_SECONDS
