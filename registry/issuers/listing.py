"""Who is listed, and for what: read from the published list, for everybody who looks.

A page for people and programs that want to know before they trust; what counts is the signed list,
which verifiers read themselves. It is read once for every list that is published, however often
somebody asks.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.publishing.shelf import Edition, Shelf
from schemas.types import type_id_of
from talentseal.artefacts import LIST
from talentseal.encoding import format_time
from talentseal.endings import effect_at
from talentseal.errors import InputError, UnavailableError
from talentseal.keys import PublicKey
from talentseal.lote import Entity, TrustList, parse_list
from talentseal.statements import (
    MARK_ISSUE,
    TYP_WITHDRAWAL,
    Grant,
    Withdrawal,
    parse_grant,
    parse_withdrawal,
    read_unverified,
)
from talentseal.territory import contains


@dataclass(frozen=True, slots=True)
class Right:
    """A grant as published, with what ends it."""

    grant: Grant
    endings: Sequence[Withdrawal]

    def holds(self, at: int, *, now: int) -> bool:
        """Whether something sealed at that time would stand under it."""
        if not self.grant.nbf <= at < self.grant.exp:
            return False
        return effect_at(self.endings, at, now=now).word is None

    def covers(self, type_id: str | None, territory: str | None) -> bool:
        has_type = type_id is None or type_id in {type_id_of(vct) for vct in self.grant.vct}
        places = self.grant.territory
        return has_type and (
            territory is None or any(contains(place, territory) for place in places)
        )


@dataclass(frozen=True, slots=True)
class ListedBody:
    """An entity of a published list."""

    jurisdiction: str
    entity: Entity
    rights: Sequence[Right]

    def has_right(self, type_id: str | None, territory: str | None, at: int, *, now: int) -> bool:
        """Whether a right holds at that time for that type and place; None asks for nothing."""
        if type_id is None and territory is None:
            return True
        return any(
            right.covers(type_id, territory) and right.holds(at, now=now) for right in self.rights
        )

    @property
    def key(self) -> str:
        """By which pages are ordered."""
        return f"{self.jurisdiction} {self.entity.kind} {self.entity.entity_id}"


class Listing:
    """The published lists of a registry, read when they are new. Safe for several threads."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._read: dict[str, tuple[str, Sequence[ListedBody]]] = {}

    def bodies(self) -> list[ListedBody]:
        """Everybody who is listed, in order. Raises UnavailableError."""
        found = [body for edition in self._shelf.editions() for body in self._of(edition)]
        return sorted(found, key=lambda body: body.key)

    def _of(self, edition: Edition) -> Sequence[ListedBody]:
        digest = edition.targets[LIST].digest
        with self._lock:
            held = self._read.get(edition.code)
            if held is None or held[0] != digest:
                held = self._read[edition.code] = (digest, self._bodies(edition))
        return held[1]

    def _bodies(self, edition: Edition) -> Sequence[ListedBody]:
        text = self._shelf.read(edition.code, edition.targets[LIST].name).decode()
        try:
            listed = parse_list(text, list_jkt=edition.root.list_jkt, now=None)
            return _with_rights(edition, listed)
        except InputError as error:
            raise UnavailableError(
                f"the published list of {edition.root.jurisdiction} cannot be read",
                hint="Run: registry publish",
            ) from error


def _with_rights(edition: Edition, listed: TrustList) -> list[ListedBody]:
    keys = {
        **edition.root.statement_keys,
        **{
            key.kid: PublicKey.from_jwk(dict(key.jwk))
            for entity in listed.entities
            if entity.kind == "authority"
            for key in entity.keys
        },
    }
    return [
        ListedBody(edition.root.jurisdiction, entity, _rights(entity, keys))
        for entity in listed.entities
    ]


def _rights(entity: Entity, keys: Mapping[str, PublicKey]) -> list[Right]:
    grants = [parse_grant(text, keys=keys) for text in entity.grants]
    endings = [parse_withdrawal(text, keys=keys) for text in _withdrawals(entity.statements)]
    return [
        Right(grant, [one for one in endings if one.statement_s256 == grant.sha256])
        for grant in grants
        if grant.mark_type == MARK_ISSUE
    ]


def _withdrawals(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if read_unverified(text).typ == TYP_WITHDRAWAL]


def shown(body: ListedBody, *, at: int, now: int) -> dict[str, Any]:
    """An entity as anybody may see it."""
    entity = body.entity
    return {
        "entity_id": entity.entity_id,
        "jurisdiction": body.jurisdiction,
        "kind": entity.kind,
        "names": dict(entity.names),
        "keys": [{"kid": key.kid, "state": key.state} for key in entity.keys],
        "rights": [_shown(right, at=at, now=now) for right in body.rights],
    }


def _shown(right: Right, *, at: int, now: int) -> dict[str, Any]:
    grant = right.grant
    return {
        "jti": grant.jti,
        "by": grant.iss,
        "types": [type_id_of(vct) or vct for vct in sorted(grant.vct)],
        "territory": list(grant.territory),
        "profession": None if grant.profession is None else list(grant.profession),
        "nbf": format_time(grant.nbf),
        "exp": format_time(grant.exp),
        "holds": right.holds(at, now=now),
    }
