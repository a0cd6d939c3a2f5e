"""The published Type Metadata documents, one per credential type, as exact octets.

A document tells every verifier and wallet of the world how to show a type, what may be hidden
and how a code abbreviates it. Its octets are pinned by `vct#integrity` in each credential, so a
document never changes after the first issuance: a correction belongs to the next major version.
The files are generated from the claim tables (`python -m schemas.types.build`) and are served
and bundled as they are. Their digests, and reading foreign documents, are left to `talentseal`.
Standard: Type Metadata of SD-JWT VC (draft 19 section 6), with our one extra member `talentseal`.
"""

from functools import cache
from pathlib import Path
from types import MappingProxyType

TYPES_BASE = "https://types.talentseal.example"

# type id -> its file; the order is that of the type numbers in codes
_FILES = MappingProxyType(
    {
        "professional-title/1": "professional-title-1.json",
        "professional-qualification/1": "professional-qualification-1.json",
        "qualification-validation-report/1": "qualification-validation-report-1.json",
        "foreigner-work-permit/1": "foreigner-work-permit-1.json",
        "talent-confirmation/1": "talent-confirmation-1.json",
    }
)
TYPE_IDS = tuple(_FILES)


@cache
def load_type(type_id: str) -> bytes:
    """The exact octets of the document for one of `TYPE_IDS`; any other id raises KeyError."""
    return path_of(type_id).read_bytes()


def path_of(type_id: str) -> Path:
    """Where the document is kept; an id that is not in `TYPE_IDS` raises KeyError."""
    return Path(__file__).parent / _FILES[type_id]


def vct_of(type_id: str, *, base: str = TYPES_BASE) -> str:
    """The `vct` of a type: `https://types.talentseal.example/professional-title/1`."""
    return f"{base}/{type_id}"


def type_id_of(vct: str, *, base: str = TYPES_BASE) -> str | None:
    """The type that a `vct` names, or None if it is none of ours; compared octet by octet."""
    return next((known for known in TYPE_IDS if vct_of(known, base=base) == vct), None)
