"""What everybody may read: the files of every jurisdiction, one by one and as a zip.

Names are looked up among those that a publication can have; nothing else in the folder exists for
a caller. Versioned files never change and say so; the one that puts them in force is short-lived.
"""

import threading
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from registry.acts import new_router
from registry.house import House
from registry.publishing.export import archive
from registry.publishing.shelf import Edition, is_fixed
from talentseal.artefacts import LIST, file_code
from talentseal.errors import UsageError
from talentseal.service.answers import add_public, public

TIMESTAMP_SECONDS = 30
ZIP = "application/zip"
MAX_JURISDICTIONS = 32
_KEPT_ZIPS = 4
_TYPES = {
    "json": "application/json",
    "jws": "application/jose",
    "jwt": "application/jwt",
    "cwt": "application/cwt",
    "der": "application/pkix-cert",
}
TAGGED: dict[int | str, dict[str, Any]] = {304: {"description": "The reader has it."}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
Code = Annotated[str, Path(max_length=20, examples=["CN-4403"], description="`/` written as `-`.")]


def media_type(name: str) -> str:
    return _TYPES.get(name.rpartition(".")[2], "application/octet-stream")


def _files(*media_types: str) -> dict[int | str, dict[str, Any]]:
    content = dict.fromkeys(media_types, _BINARY)
    return {
        200: {"description": "The octets as they were signed.", "content": content},
        304: {"description": "The reader has them."},
    }


def files_router(house: House) -> APIRouter:
    router = new_router("published files")
    zips = Zips(house)

    def file(
        request: Request, code: Code, name: Annotated[str, Path(max_length=300)]
    ) -> Response:  # fmt: skip
        """A file of a jurisdiction's TUF repository."""
        data = house.shelf.read(code, name)
        return public(
            request, data, media_type(name), changed_at=house.shelf.edition(code).as_of,
            max_age=TIMESTAMP_SECONDS, immutable=is_fixed(name),
        )  # fmt: skip

    def trust_list(request: Request, code: Code) -> Response:
        """The trust list in force, at an address that stays."""
        edition, data = house.shelf.target(code, LIST)
        return public(request, data, media_type(LIST), changed_at=edition.as_of)

    def bundle(
        request: Request,
        jurisdiction: Annotated[
            list[Annotated[str, Query(max_length=20)]],
            Query(max_length=MAX_JURISDICTIONS, examples=[["CN/4403"]], description="None: all."),
        ] = [],  # noqa: B006  never changed
    ) -> Response:
        """The files of several jurisdictions in one zip, the first one's own first."""
        data, as_of = zips.of(jurisdiction)
        return public(request, data, ZIP, changed_at=as_of)

    said = _files(*_TYPES.values())
    add_public(router, "/tuf/{code}/{name:path}", file, responses=said, name="tuf file")
    add_public(
        router, "/lists/{code}/issuers.jws", trust_list, responses=_files("application/jose")
    )
    add_public(router, "/v1/bundle.zip", bundle, responses=_files(ZIP))
    return router


class Zips:
    """The zips that were asked for last; one is made at a time."""

    def __init__(self, house: House) -> None:
        self._shelf = house.shelf
        self._lock = threading.Lock()
        self._made: dict[tuple[tuple[int, ...], ...], bytes] = {}

    def of(self, codes: Sequence[str]) -> tuple[bytes, int]:
        """The zip of these jurisdictions, or of all, and when its oldest part was current."""
        names = list(dict.fromkeys(map(file_code, codes))) or self._shelf.codes()
        editions = [self._shelf.edition(code) for code in names]
        if not editions:
            raise UsageError("nothing was published yet", code="NOT_FOUND")
        key = tuple(edition.mark for edition in editions)
        with self._lock:
            if key not in self._made:
                made = self._make(editions)
                while len(self._made) >= _KEPT_ZIPS:
                    self._made.pop(next(iter(self._made)))
                self._made[key] = made
            return self._made[key], min(edition.as_of for edition in editions)

    def _make(self, editions: Sequence[Edition]) -> bytes:
        return archive({edition.code: self._shelf.files(edition) for edition in editions})
