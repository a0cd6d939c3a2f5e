"""The published files of several jurisdictions in one zip, for couriers and offline desks.

The same octets as in the folder, from one moment of the database. The archive is the same for the
same files: members in one order, no times, one mode. Nothing in it needs to be trusted.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction
from registry.office import Office
from registry.publishing.service import current_files
from talentseal.artefacts import file_code
from talentseal.errors import UsageError
from talentseal.files import write_atomic

_MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say
_REGULAR_FILE = 0o100644 << 16
_UNIX = 3


def export_bundle(office: Office, path: Path, jurisdictions: Sequence[str] = ()) -> dict[str, int]:
    """Write `path`; returns the number of files by jurisdiction.

    jurisdictions  in this order, the first is the exporter's own; empty: all

    Raises UsageError for one that is unknown or not published yet, UnavailableError.
    """
    found: dict[str, dict[str, bytes]] = {}
    with office.reading() as session:
        known = [row.code for row in all_jurisdictions(session)]
        for code in list(dict.fromkeys(jurisdictions)) or known:
            get_jurisdiction(session, code)
            found[code] = current_files(session, code)
            if not found[code]:
                raise UsageError(f"{code} was never published", hint="Run: registry publish")
    write_atomic(path, archive(found), mode=0o644)
    return {code: len(files) for code, files in found.items()}


def archive(found: dict[str, dict[str, bytes]]) -> bytes:
    """The zip of these files: jurisdiction -> name -> octets."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, data in _members(found):
            info = zipfile.ZipInfo(name, _MOMENT)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = _REGULAR_FILE
            info.create_system = _UNIX
            out.writestr(info, data, compresslevel=9)
    return buffer.getvalue()


def _members(found: dict[str, dict[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    for code, files in found.items():
        for name in sorted(files):
            yield f"{file_code(code)}/{name}", files[name]
