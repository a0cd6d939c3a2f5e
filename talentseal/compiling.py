"""Signed artefacts into the tables of a bundle: every statement is checked once, on entry.

TUF has vouched for the files; here the jurisdiction's own signatures speak. Statements name keys:
a delegation those of the authority, a grant those of the issuer, so whoever keeps the list can
remove a right but never add one. What is wrong with a grant is remembered beside it, so that a
verdict can name the reason; what is wrong with the set as a whole refuses the set.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from talentseal import statements, x509
from talentseal.artefacts import (
    CA,
    HEAD,
    LIST,
    PEERS,
    RECOGNISED,
    STATUS,
    TYPES,
    VERIFIER_HOSTS,
    Head,
    PeerInfo,
    RootInfo,
    SignedFiles,
    file_code,
    negative_digest,
    parse_head,
    parse_hosts,
    parse_peer,
)
from talentseal.bundle import Event, IssuerKey, Jurisdiction, Part, RecognitionRight, Right
from talentseal.encoding import b64_encode
from talentseal.endings import effect_at
from talentseal.errors import BundleError, InputError
from talentseal.keys import PublicKey
from talentseal.lote import Entity, TrustList, parse_list
from talentseal.statements import (
    MARK_ISSUE,
    MARK_STATUS,
    Delegation,
    Grant,
    Recognition,
    Withdrawal,
)
from talentseal.status import StatusList, admit
from talentseal.trust import all_inside, is_inside
from talentseal.type_metadata import CredentialType

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Keys = Mapping[str, PublicKey]


def compile_part(files: SignedFiles, introduced: PeerInfo | None, *, now: int) -> Part:
    """Check one jurisdiction's artefacts and compile its tables.

    introduced  how home introduces it; None for home itself
    now         NumericDate

    Raises BundleError: `BUNDLE_TAMPERED`, `BUNDLE_SIGNATURE`, `BUNDLE_INCOMPLETE`,
    `HEAD_MISMATCH`, `TRUST_DATA_EXPIRED`, `WRONG_NETWORK`.
    """
    root = _introduced_as(files.root, introduced)
    anchors = _authority_certificates(files)
    listed = _open_list(files, now)
    texts = [text for entity in listed.entities for text in entity.statements]
    withdrawn_recognitions, recognised = _split_recognised(files)
    negatives = frozenset(statements.digest(text) for text in (*texts, *withdrawn_recognitions))
    head = _check_head(files, listed, negatives)
    compiler = _Compiler(root, listed, texts, anchors)
    status = compiler.status_lists(files, now)
    jurisdiction = Jurisdiction(
        code=root.jurisdiction,
        entity_id=root.entity_id,
        names=root.names,
        territory=root.territory,
        namespaces=root.namespaces,
        dev=root.dev,
        version=files.snapshot_version,
        as_of=head.issued_at,
        ca=[b64_encode(der) for _, der in files.below(CA)],
        status_uris=compiler.status_prefixes(now),
        verifier_hosts=_hosts(files),
    )
    return Part(
        jurisdiction,
        compiler.issuer_keys(),
        compiler.rights(),
        _recognitions(root, recognised, withdrawn_recognitions, peers_of(files)),
        _types(files),
        status,
        negatives,
        listed.sequence,
    )


# --- peers and name spaces ------------------------------------------------------------------------


def peers_of(files: SignedFiles) -> Sequence[PeerInfo]:
    """Everybody a jurisdiction introduces. Raises BundleError `BUNDLE_TAMPERED`."""
    try:
        return [
            parse_peer(data) for path, data in files.below(PEERS) if path.endswith("/peer.json")
        ]
    except InputError as error:
        raise BundleError("a peer's introduction is malformed", code="BUNDLE_TAMPERED") from error


def peer_root(files: SignedFiles, peer: PeerInfo) -> bytes:
    """The pinned root of a peer, as home publishes it. Raises BundleError."""
    data = files.targets.get(f"{PEERS}{file_code(peer.jurisdiction)}/root.json")
    if data is None or hashlib.sha256(data).hexdigest() != peer.root_s256:
        raise BundleError(
            f"the root of {peer.jurisdiction} is not the one its introduction names",
            code="BUNDLE_TAMPERED",
        )
    return data


def overlapping(spaces: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Jurisdictions that claim a name space of one before them, in the order given."""
    late = []
    for (_, first), (code, second) in combinations(spaces.items(), 2):
        if any(_touch(a, b) for a in first for b in second):
            late.append(code)
    return late


def _touch(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _introduced_as(root: RootInfo, introduced: PeerInfo | None) -> RootInfo:
    """What counts for territory and name spaces is what both its root and home say."""
    if introduced is None:
        return root
    if (introduced.jurisdiction, introduced.entity_id) != (root.jurisdiction, root.entity_id):
        raise BundleError(
            f"this is not the {introduced.jurisdiction} that home introduces", code="WRONG_NETWORK"
        )
    return replace(
        root,
        territory=[t for t in introduced.territory if all_inside([t], root.territory)],
        namespaces=[n for n in introduced.namespaces if is_inside(f"https://{n}", root.namespaces)],
    )


# --- the set as a whole ---------------------------------------------------------------------------


def _authority_certificates(files: SignedFiles) -> "list[Certificate]":
    anchors = []
    for _, der in files.below(CA):
        if hashlib.sha256(der).hexdigest() not in files.root.ca_s256:
            raise BundleError(
                "a certificate authority is not the one that root.json names",
                code="BUNDLE_TAMPERED",
            )
        try:
            anchors.append(x509.load_certificate(der))
        except InputError as error:
            raise BundleError(
                "a certificate authority that cannot be read", code="BUNDLE_TAMPERED"
            ) from error
    return anchors


def _target(files: SignedFiles, path: str) -> bytes:
    data = files.targets.get(path)
    if data is None:
        raise BundleError(f"{path} is missing", code="BUNDLE_INCOMPLETE")
    return data


def _open_list(files: SignedFiles, now: int) -> TrustList:
    try:
        text = _target(files, LIST).decode("ascii")
        return parse_list(text, list_jkt=files.root.list_jkt, now=now)
    except UnicodeDecodeError as error:
        raise BundleError("the trust list is no text", code="BUNDLE_TAMPERED") from error
    except InputError as error:
        code = error.code if error.code in _SET_CODES else "BUNDLE_TAMPERED"
        raise BundleError(error.message, code=code, hint=error.hint) from error


_SET_CODES = ("BUNDLE_SIGNATURE", "TRUST_DATA_EXPIRED")


def _check_head(files: SignedFiles, listed: TrustList, negatives: frozenset[str]) -> Head:
    """The jurisdiction's own word: nothing older than it says, nothing withdrawn missing."""
    try:
        head = parse_head(_target(files, HEAD))
    except InputError as error:
        raise BundleError("the head is malformed", code="BUNDLE_TAMPERED") from error
    current = (
        head.jurisdiction == files.root.jurisdiction
        and files.root_version >= head.root_version
        and files.targets_version >= head.targets_version
        and listed.sequence >= head.list_sequence
    )
    whole = (head.negative_count, head.negative_s256) == (
        len(negatives),
        negative_digest(negatives),
    )
    if not (current and whole):
        raise BundleError(
            f"the files of {files.root.jurisdiction} are not those its head speaks of",
            code="HEAD_MISMATCH",
            hint="Synchronise from the official source; report it if it repeats.",
        )
    return head


def _hosts(files: SignedFiles) -> Sequence[str]:
    data = files.targets.get(VERIFIER_HOSTS)
    try:
        return parse_hosts(data) if data else ()
    except InputError as error:
        raise BundleError("the verifier hosts are malformed", code="BUNDLE_TAMPERED") from error


def _types(files: SignedFiles) -> Mapping[str, bytes]:
    try:
        documents = [data for _, data in files.below(TYPES)]
        return {CredentialType.parse(data).vct: data for data in documents}
    except InputError as error:
        raise BundleError("a type document is malformed", code="BUNDLE_TAMPERED") from error


# --- statements -----------------------------------------------------------------------------------


class _Compiler:
    """One jurisdiction's list and statements, looked at from each side once."""

    def __init__(
        self,
        root: RootInfo,
        listed: TrustList,
        texts: Sequence[str],
        anchors: "Sequence[Certificate]",
    ) -> None:
        self.root = root
        self.entities = listed.entities
        self.above = listed.above
        self.anchors = anchors
        self.authority_keys: dict[str, dict[str, PublicKey]] = {
            root.entity_id: dict(root.statement_keys)
        }
        for entity in listed.entities:
            if entity.kind == "authority":
                self.authority_keys.setdefault(entity.entity_id, {}).update(_public_keys(entity))
        every = {kid: key for keys in self.authority_keys.values() for kid, key in keys.items()}
        self.withdrawals = _read_all(texts, statements.parse_withdrawal, every)
        self.key_events = _read_all(texts, statements.parse_key_event, every)
        self.compromised = {e.jkt for e in self.key_events if e.event == "compromised"}

    def issuer_keys(self) -> list[IssuerKey]:
        return [
            self._issuer_key(entity, key)
            for entity in self.entities
            if entity.kind == "issuer"
            for key in entity.keys
        ]

    def _issuer_key(self, entity: Entity, key: Any) -> IssuerKey:
        granters = {self._granter(text) for text in entity.grants}
        allowed = set(self.root.statement_keys)
        for granter in granters:
            allowed |= self.authority_keys.get(granter, {}).keys()
        events = [e for e in self.key_events if e.jkt == key.kid and e.kid in allowed]
        retired = [e.at for e in events if e.event == "retired"]
        stolen = [e for e in events if e.event == "compromised"]
        ends = [end for end in (key.sign_until, *retired) if end is not None]
        at = min((e.at for e in stolen), default=0 if key.state == "compromised" else None)
        return IssuerKey(
            kid=key.kid,
            jurisdiction=self.root.jurisdiction,
            iss=entity.entity_id,
            jwk=key.jwk,
            names=entity.names,
            nbf=key.nbf,
            sign_until=min(ends, default=None),
            compromised_at=at,
            survivors=next((e.survivors_s256 for e in stolen if e.survivors_s256), None),
            outside=not is_inside(entity.entity_id, self.root.namespaces),
            chains=self._chains(entity, key.kid),
        )

    def _chains(self, entity: Entity, kid: str) -> Mapping[str, Sequence[int]] | None:
        """The chains that this key's certificates make with those above the list's own."""
        chains = [(der, *self.above) for der in entity.certificates]
        lives = {
            x509.chain_digest(chain): x509.lifetime(
                chain, anchors=self.anchors, iss=entity.entity_id, kid=kid
            )
            for chain in chains
        }
        return {digest: list(life) for digest, life in lives.items() if life} or None

    def _granter(self, grant_text: str) -> str:
        try:
            return statements.read_unverified(grant_text).iss
        except InputError:
            return ""

    def rights(self) -> list[Right]:
        return [
            self._right(entity, text)
            for entity in self.entities
            if entity.kind == "issuer"
            for text in entity.grants
        ]

    def _right(self, entity: Entity, text: str) -> Right:
        """A grant with everything that can be said of it before a credential is seen."""
        try:
            grant = self._open_grant(entity, text)
        except InputError as error:
            return _broken(self.root.jurisdiction, entity.entity_id, error.code)
        right = _right_of(self.root.jurisdiction, grant, self._events(grant))
        try:
            delegation = self.open_delegation(grant)
        except InputError as error:
            return right._replace(fault=error.code, stage=7)
        return right._replace(
            delegation_jti=delegation.jti,
            delegation_nbf=delegation.nbf,
            delegation_exp=delegation.exp,
            delegation_events=self._events(delegation),
            approval_required=delegation.approval_required or grant.approval_by is not None,
        )

    def _open_grant(self, entity: Entity, text: str) -> Grant:
        claimed = statements.read_unverified(text)
        if claimed.sub != entity.entity_id:
            raise InputError("a grant of another issuer", code="GRANT_SUBJECT")
        keys = self.authority_keys.get(claimed.iss)
        if keys is None:
            raise InputError("the granting authority is not listed", code="AUTHORITY_UNKNOWN")
        grant = statements.parse_grant(text, keys=keys)
        if grant.mark_type != MARK_ISSUE:
            raise InputError("a right of another kind", code="STATEMENT_TYPE")
        return grant

    def open_delegation(self, grant: Grant) -> Delegation:
        """The delegation a grant stands on, after every rule that binds the two."""
        if grant.delegation is None:
            raise InputError("no delegation", code="DELEGATION_MISSING")
        delegation = statements.parse_delegation(grant.delegation, keys=self.root.statement_keys)
        broken = statements.check_within(grant, delegation)
        if delegation.iss != self.root.entity_id:
            broken = "DELEGATION_INVALID"
        if broken:
            raise InputError("the grant does not lie inside its delegation", code=broken)
        if grant.kid not in delegation.jkt:
            raise InputError("the root did not name this key", code="AUTHORITY_KEY_UNBOUND")
        if grant.kid in self.compromised:
            raise InputError("the granting key was stolen", code="AUTHORITY_KEY_COMPROMISED")
        if not all_inside(delegation.territory, self.root.territory):
            raise InputError("beyond its jurisdiction", code="DELEGATION_WIDENED")
        return delegation

    def _events(self, statement: Grant | Delegation) -> list[Event]:
        signers = {statement.kid, *self.root.statement_keys}
        return _events(statement, self.withdrawals, signers)

    # status providers

    def status_grants(self, now: int) -> list[tuple[Grant, Keys]]:
        """Grants to publish status that are in force now, with the keys they name."""
        found: list[tuple[Grant, Keys]] = []
        for entity in self.entities:
            if entity.kind == "status":
                found += [
                    (grant, {k: key for k, key in _public_keys(entity).items() if k in grant.jkt})
                    for grant in self._open_status_grants(entity)
                    if grant.nbf <= now < grant.exp and not self._is_withdrawn(grant, now)
                ]
        return found

    def _open_status_grants(self, entity: Entity) -> list[Grant]:
        grants = []
        for text in entity.grants:
            try:
                claimed = statements.read_unverified(text)
                keys = self.authority_keys.get(claimed.iss, {})
                grant = statements.parse_grant(text, keys=keys)
                self.open_delegation(grant)
            except InputError:
                continue  # a statement that does not hold gives no power
            if grant.sub == entity.entity_id and grant.mark_type == MARK_STATUS:
                grants.append(grant)
        return grants

    def _is_withdrawn(self, grant: Grant, now: int) -> bool:
        return effect_at(self._events(grant), now, now=now).word is not None

    def status_prefixes(self, now: int) -> list[str]:
        return sorted({p for grant, _ in self.status_grants(now) for p in grant.uri_prefix})

    def status_lists(self, files: SignedFiles, now: int) -> dict[tuple[str, str], StatusList | str]:
        """Every list by its URI, or the code of its refusal; either form will do."""
        tokens: dict[str, list[bytes]] = {}
        for path, data in files.below(STATUS):
            name, _, ending = path.removeprefix(STATUS).rpartition(".")
            if ending in ("cwt", "jwt"):
                tokens.setdefault(name, []).append(data)
        return {
            (self.root.jurisdiction, prefix + name): _admit_one(forms, prefix + name, keys, now)
            for grant, keys in self.status_grants(now)
            for prefix in grant.uri_prefix
            for name, forms in tokens.items()
        }


def _admit_one(forms: Iterable[bytes], uri: str, keys: Keys, now: int) -> StatusList | str:
    refused = "STATUS_UNAVAILABLE"
    for token in forms:
        try:
            return admit(token, uri=uri, keys=keys, now=now)
        except InputError as error:
            refused = error.code
    return refused


def _public_keys(entity: Entity) -> dict[str, PublicKey]:
    return {key.kid: PublicKey.from_jwk(key.jwk) for key in entity.keys}


def _read_all(texts: Iterable[str], parse: Callable[..., Any], keys: Keys) -> list[Any]:
    """The statements among `texts` that `parse` reads and one of `keys` has signed."""
    found = []
    for text in texts:
        try:
            found.append(parse(text, keys=keys))
        except InputError:
            continue  # another kind of statement, or one that nobody entitled has signed
    return found


def _events(
    statement: Grant | Delegation | Recognition,
    withdrawals: Sequence[Withdrawal],
    signers: set[str],
) -> list[Event]:
    """What was said about one statement by its signer or the root, in order of effect."""
    found = [
        Event(w.effect, w.at, w.jti)
        for w in withdrawals
        if w.statement == statement.jti
        and w.statement_s256 == statement.sha256
        and w.kid in signers
    ]
    return sorted(found, key=lambda event: event.at)


def _right_of(jurisdiction: str, grant: Grant, events: Sequence[Event]) -> Right:
    return Right(
        jti=grant.jti,
        jurisdiction=jurisdiction,
        iss=grant.sub,
        authority=grant.iss,
        vct=sorted(grant.vct),
        jkt=sorted(grant.jkt),
        territory=grant.territory,
        profession=grant.profession,
        max_validity=grant.max_validity,
        nbf=grant.nbf,
        exp=grant.exp,
        approval_required=grant.approval_by is not None,
        events=events,
    )


def _broken(jurisdiction: str, iss: str, code: str) -> Right:
    """A grant that cannot be read: it gives no right, and says why."""
    fault = code if code in _STATEMENT_CODES else "STATEMENT_SIGNATURE"
    return Right(
        "", jurisdiction, iss, "", (), (), (), None, None, 0, 0,
        approval_required=False, fault=fault, stage=6,
    )  # fmt: skip


_STATEMENT_CODES = frozenset(
    ("STATEMENT_SIGNATURE", "STATEMENT_TYPE", "CRIT_UNKNOWN", "GRANT_SUBJECT", "AUTHORITY_UNKNOWN")
)


# --- recognition ----------------------------------------------------------------------------------


def _split_recognised(files: SignedFiles) -> tuple[list[str], list[tuple[str, str]]]:
    """Withdrawals, and recognitions with the file code of their origin, as texts."""
    withdrawals, recognitions = [], []
    for path, data in files.below(RECOGNISED):
        text = data.decode("ascii", "replace")
        try:
            kind = statements.read_unverified(text).typ
        except InputError:
            continue
        if kind == statements.TYP_WITHDRAWAL:
            withdrawals.append(text)
        else:
            recognitions.append((path.split("/")[1], text))
    return withdrawals, recognitions


def _recognitions(
    root: RootInfo,
    texts: Sequence[tuple[str, str]],
    withdrawals: Sequence[str],
    peers: Sequence[PeerInfo],
) -> list[RecognitionRight]:
    ended = _read_all(withdrawals, statements.parse_withdrawal, root.statement_keys)
    codes = {peer.entity_id: peer.jurisdiction for peer in peers}
    return [_recognition(root, folder, text, ended, codes) for folder, text in texts]


def _recognition(
    root: RootInfo,
    folder: str,
    text: str,
    ended: Sequence[Withdrawal],
    codes: Mapping[str, str],
) -> RecognitionRight:
    """What is recognised from whom is what the statement says, not the folder it lies in."""
    try:
        found = statements.parse_recognition(text, keys=root.statement_keys)
    except InputError as error:
        fault = "STATEMENT_TYPE" if error.code == "STATEMENT_TYPE" else "STATEMENT_SIGNATURE"
        origin = next((code for code in codes.values() if file_code(code) == folder), folder)
        return RecognitionRight(
            "", root.jurisdiction, origin, (), (), (), None, (), "void", 0, 0, None, fault=fault
        )
    code = codes.get(found.sub, "")
    outside = not all_inside(found.valid_in, root.territory) or found.iss != root.entity_id
    return RecognitionRight(
        jti=found.jti,
        jurisdiction=root.jurisdiction,
        origin=code,
        vct=sorted(found.vct),
        issued_in=found.issued_in,
        valid_in=found.valid_in,
        profession=found.profession,
        purpose=sorted(found.purpose),
        on_end=found.on_end,
        nbf=found.nbf,
        exp=found.exp,
        max_age=found.max_age,
        catalogue=found.catalogue[0] if found.catalogue else None,
        events=_events(found, ended, set(root.statement_keys)),
        fault="STATEMENT_SIGNATURE" if outside else None,
    )
