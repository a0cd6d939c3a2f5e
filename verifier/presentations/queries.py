"""What may be asked of a wallet: the shipped queries by type, and those of this verifier's folder.

A shipped query asks for as little as shows the certificate: the holder's name and what it is
about. Files `queries/NAME.json` in the verifier's folder hold DCQL queries (OpenID4VP 1.0 §6) of
its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from schemas.openid4vp import SDJWT_FORMAT, DcqlQuery
from schemas.types import TYPE_IDS, load_type, vct_of
from talentseal.dcql import parse_query, parse_query_text
from talentseal.errors import InputError, UsageError
from talentseal.files import read_bounded
from talentseal.type_metadata import CredentialType

FOLDER = "queries"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MAX_BYTES = 64 * 1024
_ENOUGH = ("display_name", "certificate_number", "permit_number", "registration_number")


def load_queries(home: Path) -> dict[str, DcqlQuery]:
    """Queries by name. Raises UsageError for a file that is none."""
    found = {type_id.partition("/")[0]: shipped_query(type_id) for type_id in TYPE_IDS}
    for path in sorted((home / FOLDER).glob("*.json")):
        if not _NAME.fullmatch(path.stem) or path.stem in found:
            raise UsageError(f"{path.name} is no name for a query of one's own")
        try:
            found[path.stem] = parse_query_text(read_bounded(path, _MAX_BYTES).decode("utf-8"))
        except (InputError, UnicodeDecodeError) as error:
            raise UsageError(f"{path.name} is no query that can be asked") from error
    return found


def shipped_query(type_id: str) -> DcqlQuery:
    """One credential of the type, with its holder's name and its number."""
    kind = CredentialType.parse(load_type(type_id))
    asked = [name for name in _ENOUGH if name in kind.always]
    query: Mapping[str, object] = {
        "id": type_id.partition("/")[0],
        "format": SDJWT_FORMAT,
        "meta": {"vct_values": [vct_of(type_id)]},
        "claims": [{"path": [name]} for name in asked],
    }
    return parse_query({"credentials": [query]})
