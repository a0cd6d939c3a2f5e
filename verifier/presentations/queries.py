"""What may be asked of a wallet: the shipped queries by type, and those of this verifier's folder.

A shipped query asks for as little as shows the certificate: the holder's name and what it is
about. Files `queries/NAME.json` in the verifier's folder hold DCQL queries (OpenID4VP 1.0 §6) of
its own. Nobody is asked for what could not be judged afterwards: other formats, copies without the
holder's proof, authorities named by anything but their key identifiers.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.openid4vp import SDJWT_FORMAT, CredentialQuery, DcqlQuery
from schemas.types import TYPE_IDS, load_type, vct_of
from talentseal.dcql import AKI, parse_query, parse_query_text
from talentseal.encoding import b64url_decode
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
            query = parse_query_text(read_bounded(path, _MAX_BYTES).decode("utf-8"))
            check_query(query)
        except UnicodeDecodeError as error:
            raise UsageError(f"{path.name} is no query: it is not UTF-8") from error
        except (InputError, UsageError) as error:
            message = f"{path.name} is no query that can be asked: {error.message}"
            raise UsageError(message, hint=error.hint) from error
        found[path.stem] = query
    return found


def check_query(query: DcqlQuery) -> None:
    """Raises UsageError `REQUEST_INVALID` with every part by which answers could not be judged."""
    faults = [
        {"pointer": f"/credentials/{place}{pointer}", "error": "not_supported", "message": message}
        for place, entry in enumerate(query.credentials)
        for pointer, message in _faults(entry)
    ]
    if faults:
        hint = "; ".join(f"{fault['pointer']}: {fault['message']}" for fault in faults[:3])
        error = UsageError("an answer to this query could not be judged here", hint=f"{hint}.")
        error.errors = faults
        raise error


def _faults(entry: CredentialQuery) -> Iterator[tuple[str, str]]:
    if entry.format != SDJWT_FORMAT:
        yield "/format", f"only {SDJWT_FORMAT} is judged here"
    if not entry.require_cryptographic_holder_binding:
        yield "/require_cryptographic_holder_binding", "the holder's proof is always required here"
    for place, authority in enumerate(entry.trusted_authorities or ()):
        pointer = f"/trusted_authorities/{place}"
        if authority.type != AKI:
            yield f"{pointer}/type", f"only {AKI} is known here"
        elif not all(map(_is_identifier, authority.values)):
            yield f"{pointer}/values", "key identifiers in base64url are wanted"


def _is_identifier(text: str) -> bool:
    try:
        return bool(b64url_decode(text))
    except InputError:
        return False


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
