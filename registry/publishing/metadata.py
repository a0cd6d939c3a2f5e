"""TUF metadata as this registry writes it: five roles, sealed and serialised in one way.

Roles, thresholds and lifetimes are those of the trust design: officers sign the root, the list
office the targets, the status provider `status/*`, the operator snapshot and timestamp. Which
versions come next, and writing files, is left to `service`.

Standard: TUF 1.0 by python-tuf; consistent snapshots on.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from talentseal.artefacts import ROOT_MEMBER, RootInfo, root_member
from talentseal.encoding import from_seconds
from talentseal.keys import PublicKey, SoftwareSigner

ROLES = ("root", "targets", "status", "snapshot", "timestamp")
LIFE = {
    "root": timedelta(days=365),
    "targets": timedelta(days=365),
    "status": timedelta(days=7),
    "snapshot": timedelta(days=30),
    "timestamp": timedelta(days=7),
}
OFFICERS, THRESHOLD = 3, 2  # of root and targets alike
STATUS_PATHS = ["status/*"]

_COMPACT = JSONSerializer(compact=True)


def expiry(role: str, now: int) -> int:
    """When metadata of `role` that is signed `now` ends (NumericDate)."""
    return now + int(LIFE[role].total_seconds())


def tuf_key(public: PublicKey) -> Key:
    """A key as TUF names it."""
    return SSlibKey.from_crypto(public.key)


def root_bytes(
    info: RootInfo,
    role_keys: Mapping[str, Sequence[PublicKey]],
    *,
    version: int,
    now: int,
    signers: Sequence[SoftwareSigner],
) -> bytes:
    """`root.json` with our member, under the signatures of all `signers`.

    role_keys  keys of root, targets, snapshot and timestamp
    """
    keys = {key.keyid: key for publics in role_keys.values() for key in map(tuf_key, publics)}
    roles = {
        name: Role([tuf_key(one).keyid for one in publics], _threshold(publics))
        for name, publics in role_keys.items()
    }
    root = Root(
        version=version,
        expires=from_seconds(expiry("root", now)),
        keys=keys,
        roles=roles,
        consistent_snapshot=True,
        unrecognized_fields={ROOT_MEMBER: root_member(info)},
    )
    return _seal(root, signers)


def next_root_bytes(
    before: bytes, *, version: int, now: int, signers: Sequence[SoftwareSigner]
) -> bytes:
    """The root after `before`: the same keys, roles and member, for another term."""
    root = Metadata[Root].from_bytes(before).signed
    root.version, root.expires = version, from_seconds(expiry("root", now))
    return _seal(root, signers)


def _threshold(publics: Sequence[PublicKey]) -> int:
    return THRESHOLD if len(publics) >= OFFICERS else 1


def targets_bytes(
    files: Mapping[str, bytes],
    status_key: PublicKey,
    *,
    version: int,
    now: int,
    signers: Sequence[SoftwareSigner],
) -> bytes:
    """The list office's files, and its delegation of `status/*` and nothing else."""
    key = tuf_key(status_key)
    status = DelegatedRole("status", [key.keyid], 1, terminating=True, paths=STATUS_PATHS)
    targets = Targets(
        version=version,
        expires=from_seconds(expiry("targets", now)),
        targets=_target_files(files),
        delegations=Delegations({key.keyid: key}, {"status": status}),
    )
    return _seal(targets, signers)


def status_bytes(
    files: Mapping[str, bytes], *, version: int, now: int, signer: SoftwareSigner
) -> bytes:
    status = Targets(
        version=version,
        expires=from_seconds(expiry("status", now)),
        targets=_target_files(files),
    )
    return _seal(status, [signer])


def snapshot_bytes(
    roles: Mapping[str, tuple[int, bytes]], *, version: int, now: int, signer: SoftwareSigner
) -> bytes:
    """The versions, lengths and hashes of `targets` and `status`."""
    meta = {f"{name}.json": _meta_file(*found) for name, found in roles.items()}
    snapshot = Snapshot(version=version, expires=from_seconds(expiry("snapshot", now)), meta=meta)
    return _seal(snapshot, [signer])


def timestamp_bytes(
    snapshot: tuple[int, bytes], *, version: int, now: int, signer: SoftwareSigner
) -> bytes:
    timestamp = Timestamp(
        version=version,
        expires=from_seconds(expiry("timestamp", now)),
        snapshot_meta=_meta_file(*snapshot),
    )
    return _seal(timestamp, [signer])


def _target_files(files: Mapping[str, bytes]) -> dict[str, TargetFile]:
    return {
        path: TargetFile(len(data), {"sha256": sha256(data)}, path)
        for path, data in sorted(files.items())
    }


def _meta_file(version: int, data: bytes) -> MetaFile:
    # Length and hash as well as the version: an old file under a new name is then tampering.
    return MetaFile(version, len(data), {"sha256": sha256(data)})


def _seal(signed: Any, signers: Sequence[SoftwareSigner]) -> bytes:
    metadata: Metadata[Any] = Metadata(signed)
    for signer in signers:
        metadata.sign(CryptoSigner(signer.private_key), append=True)
    sealed: bytes = metadata.to_bytes(_COMPACT)
    return sealed


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def named_targets(data: bytes) -> dict[str, str]:
    """The paths and SHA-256 (hex) that a `targets` or `status` file of our own names."""
    return {path: digest for path, (digest, _) in listed_targets(data).items()}


def listed_targets(data: bytes) -> dict[str, tuple[str, int]]:
    """The same with the length in bytes."""
    signed = Metadata.from_bytes(data).signed
    files: Mapping[str, TargetFile] = getattr(signed, "targets", {})
    return {path: (file.hashes["sha256"], file.length) for path, file in files.items()}
