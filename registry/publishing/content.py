"""What a jurisdiction says at this moment: the files of the list office, by path."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from registry.issuers.granting import Statements, load_statements
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import all_jurisdictions
from registry.office import Office
from registry.publishing.listing import trust_list
from registry.publishing.metadata import sha256
from registry.publishing.repository import latest
from schemas.types import TYPE_IDS, load_type
from talentseal.artefacts import (
    CA,
    LIST,
    PEERS,
    RECOGNISED,
    TYPES,
    VERIFIER_HOSTS,
    PeerInfo,
    dump_peer,
    file_code,
)
from talentseal.encoding import b64_decode, dump_json

PEER_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Content:
    """The files of the list office, and what the head must vouch for."""

    files: dict[str, bytes]
    list_sequence: int
    negatives: frozenset[str]


def gather(office: Office, session: Session, row: JurisdictionRow, *, now: int) -> Content:
    """All files of one jurisdiction. Raises UnavailableError for rows that were altered."""
    held = load_statements(session, row.code)
    text, sequence = trust_list(office, session, row, held, now=now)
    files = {
        LIST: text.encode(),
        f"{CA}{sha256(b64_decode(row.ca))}.der": b64_decode(row.ca),
        VERIFIER_HOSTS: dump_json({"hosts": row.verifier_hosts}),
        **{f"{TYPES}{type_id}.json": load_type(type_id) for type_id in TYPE_IDS},
        **_peers(session, row),
        **_recognised(session, held),
    }
    negatives = frozenset(withdrawal.sha256 for withdrawal in held.withdrawals)
    return Content(files, sequence, negatives)


# --- peers and recognitions -----------------------------------------------------------------------


def _peers(session: Session, row: JurisdictionRow) -> dict[str, bytes]:
    """Every other jurisdiction of this registry, introduced with its newest root."""
    files: dict[str, bytes] = {}
    for peer in all_jurisdictions(session):
        root = latest(session, peer.code, "root")
        if peer.code != row.code and root is not None:
            info = PeerInfo(
                jurisdiction=peer.code,
                entity_id=peer.entity_id,
                territory=peer.territory,
                namespaces=peer.namespaces,
                root_s256=root.sha256,
                epoch=PEER_EPOCH,
            )
            folder = f"{PEERS}{file_code(peer.code)}"
            files |= {f"{folder}/peer.json": dump_peer(info), f"{folder}/root.json": root.data}
    return files


def _recognised(session: Session, held: Statements) -> dict[str, bytes]:
    """Recognitions and what ended them, by the jurisdiction they are about."""
    codes = {peer.entity_id: file_code(peer.code) for peer in all_jurisdictions(session)}
    files: dict[str, bytes] = {}
    for one in held.recognitions:
        folder = f"{RECOGNISED}{codes[one.sub]}"
        texts = {one.jti: one.jws, **{ending.jti: ending.jws for ending in held.endings(one)}}
        files |= {f"{folder}/{jti}.jwt": text.encode() for jti, text in texts.items()}
    return files
