"""The public folder and the database of which it is the image: which of them knows more?

After an old copy of the database was put back, the folder does. Nothing may then be published, for
verifiers refuse what is older, and no status index given out, for it may have been given before.
"""

from pathlib import Path

from sqlalchemy.orm import Session

from registry.office import Office
from registry.publishing.repository import latest
from talentseal.artefacts import file_code
from talentseal.encoding import MAX_LIST_BYTES, MAX_METADATA_DEPTH, parse_json
from talentseal.errors import BundleError, InputError
from talentseal.files import read_bounded

TIMESTAMP = "metadata/timestamp.json"
MAX_METADATA_MEMBERS = 1_000_000
MAX_TIMESTAMP_BYTES = 16_384  # python-tuf's own limit


def folder_of(office: Office, code: str) -> Path:
    return office.settings.public / file_code(code)


def check_not_ahead(
    office: Office, session: Session, code: str, *, thoroughly: bool = False
) -> None:
    """Raises BundleError `ROLLBACK_REFUSED` where the folder holds what this database never made.

    thoroughly  every file is looked at, not only the one that puts all others in force
    """
    folder = folder_of(office, code) / "metadata"
    stamp = latest(session, code, "timestamp")
    if _stamped(folder.parent / TIMESTAMP) > (stamp.version if stamp else 0):
        raise ahead(code)
    if not thoroughly:
        return
    for role in ("root", "targets", "status", "snapshot"):
        held = latest(session, code, role)
        newest = max((_version(path) for path in folder.glob(f"*.{role}.json")), default=0)
        if newest > (held.version if held else 0):
            raise ahead(code)
        path = folder / f"{newest}.{role}.json"
        if held and held.version == newest and is_of_another(path, held.data):
            raise ahead(code)


def is_of_another(path: Path, data: bytes) -> bool:
    """Whether another database made this file under the name of `data`; a torn file none has."""
    found = read_bounded(path, MAX_LIST_BYTES)
    if found == data:
        return False
    try:
        parse_json(found, max_bytes=MAX_LIST_BYTES, max_depth=MAX_METADATA_DEPTH,
                   max_members=MAX_METADATA_MEMBERS)  # fmt: skip
    except InputError:
        return False
    return True


def _stamped(path: Path) -> int:
    """The version of the timestamp in the folder; 0 if there is none, or one that says nothing."""
    if not path.exists():
        return 0
    data = read_bounded(path, MAX_TIMESTAMP_BYTES)
    try:
        version = parse_json(data, max_depth=MAX_METADATA_DEPTH)["signed"]["version"]
    except (InputError, KeyError, TypeError):
        return 0
    return version if isinstance(version, int) else 0


def _version(path: Path) -> int:
    number = path.name.partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 12 else 0


def ahead(code: str) -> BundleError:
    return BundleError(
        f"the public folder of {code} holds versions that this database does not know",
        code="ROLLBACK_REFUSED",
        hint="The database is an old copy. Restore the newest; verifiers refuse older versions.",
    )
