"""What is published, as found in the public folder: read by expected name, noticed when it changes.

A service answers from here, so that public reading needs neither database nor keys, and everybody
gets exactly the octets that were signed. `timestamp.json` puts a publication in force and is
written last; when it is another file than before, everything behind it is looked up anew.

Standard: TUF 1.0 §5 for the names of files.
"""

import gzip
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from talentseal.artefacts import HEAD, STATUS, RootInfo, file_code, parse_head, parse_root
from talentseal.encoding import MAX_LIST_BYTES, MAX_METADATA_DEPTH, parse_json
from talentseal.errors import InputError, RefusedError, UnavailableError
from talentseal.files import read_bounded

MAX_METADATA_BYTES = 5_000_000  # python-tuf's own limit for targets
MAX_METADATA_MEMBERS = 200_000
TIMESTAMP = "metadata/timestamp.json"
_CODE = re.compile(r"[A-Z]{2}(-[0-9]{2,12})?")
_METADATA = re.compile(r"metadata/([1-9][0-9]{0,9})\.(root|targets|snapshot|status)\.json")
_TARGET = re.compile(r"targets/([A-Za-z0-9_-]+/){1,3}[0-9a-f]{64}\.[A-Za-z0-9_-]+(\.[a-z]{3,4})?")
_TOKEN = re.compile(rf"{STATUS}([a-z0-9]{{1,32}})\.(jwt|cwt)")


class Target(NamedTuple):
    """One file of the publication in force."""

    path: str
    digest: str

    @property
    def name(self) -> str:
        folder, _, name = self.path.rpartition("/")
        return f"targets/{folder}/{self.digest}.{name}"


@dataclass(frozen=True)
class Edition:
    """One publication of one jurisdiction.

    mark      tells this state of `timestamp.json` from every other
    targets   target path -> file
    lists     identifiers of the status lists
    as_of     NumericDate of the head: when this was said to be current
    """

    code: str
    mark: tuple[int, ...]
    root: RootInfo
    versions: Mapping[str, int]
    targets: Mapping[str, Target]
    lists: frozenset[str]
    as_of: int
    zipped: dict[str, bytes] = field(default_factory=dict)

    @property
    def status_prefix(self) -> str:
        return f"{self.root.entity_id.rstrip('/')}/status/"


class Shelf:
    """The public folder of a registry. Safe for use by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._editions: dict[str, Edition] = {}
        self._lock = threading.Lock()

    # files

    def read(self, code: str, name: str) -> bytes:
        """A published file by its name below the jurisdiction's folder.

        Raises RefusedError `NOT_FOUND` for any name that is none of a published file.
        """
        if not _CODE.fullmatch(code) or not is_name(name):
            raise not_there()
        path = self._folder / code / name
        if not path.is_file() or path.is_symlink():
            raise not_there()
        return read_bounded(path, MAX_LIST_BYTES)

    def target(self, code: str, path: str) -> tuple[Edition, bytes]:
        """A target of the publication in force. Raises RefusedError `NOT_FOUND`."""
        edition = self.edition(code)
        found = edition.targets.get(path)
        if found is None:
            raise not_there()
        return edition, self.read(code, found.name)

    def plain(self, edition: Edition, target: Target) -> bytes:
        """The octets of a target of that publication."""
        return self.read(edition.code, target.name)

    def zipped(self, edition: Edition, target: Target) -> bytes:
        """The octets of a target as gzip; made once for every publication."""
        if target.path not in edition.zipped:
            data = self.read(edition.code, target.name)
            edition.zipped[target.path] = gzip.compress(data, 6, mtime=0)
        return edition.zipped[target.path]

    def files(self, edition: Edition) -> dict[str, bytes]:
        """Name -> octets of everything a reader of this publication needs, the timestamp last."""
        versions = edition.versions
        names = [f"metadata/{n}.root.json" for n in range(1, versions["root"] + 1)]
        names += [target.name for target in edition.targets.values()]
        names += [f"metadata/{versions[r]}.{r}.json" for r in ("targets", "status", "snapshot")]
        return {name: self.read(edition.code, name) for name in (*names, TIMESTAMP)}

    # publications

    def codes(self) -> Sequence[str]:
        """File codes of the jurisdictions that were published, sorted."""
        found = self._folder.glob(f"*/{TIMESTAMP}")
        names = (path.parent.parent.name for path in found)
        return sorted(name for name in names if _CODE.fullmatch(name))

    def edition(self, code: str) -> Edition:
        """The publication in force of a jurisdiction, by file code or code.

        Raises RefusedError `NOT_FOUND`, UnavailableError for a folder that is damaged.
        """
        code = file_code(code)
        mark = self._mark(code)
        with self._lock:
            held = self._editions.get(code)
            if held is None or held.mark != mark:
                held = self._editions[code] = self._look(code, mark)
        return held

    def editions(self) -> list[Edition]:
        return [self.edition(code) for code in self.codes()]

    def of_list(self, list_id: str) -> Edition:
        """The publication with that status list. Raises RefusedError `NOT_FOUND`."""
        for edition in self.editions():
            if list_id in edition.lists:
                return edition
        raise not_there()

    def _mark(self, code: str) -> tuple[int, ...]:
        if not _CODE.fullmatch(code):
            raise not_there()
        try:
            found = (self._folder / code / TIMESTAMP).stat()
        except FileNotFoundError as error:
            raise not_there() from error
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _look(self, code: str, mark: tuple[int, ...]) -> Edition:
        try:
            return self._follow(code, mark)
        except (InputError, KeyError, TypeError, AttributeError) as error:
            raise UnavailableError(
                f"the published files of {code} are damaged",
                hint="Run: registry publish. It writes again what is missing.",
            ) from error

    def _follow(self, code: str, mark: tuple[int, ...]) -> Edition:
        """From the timestamp to everything that it puts in force."""
        stamp = self._signed(code, TIMESTAMP)
        snapshot = self._signed(code, f"metadata/{_named(stamp, 'snapshot')}.snapshot.json")
        named = {role: _named(snapshot, role) for role in ("targets", "status")}
        targets: dict[str, Target] = {}
        for role, version in named.items():
            signed = self._signed(code, f"metadata/{version}.{role}.json")
            listed = signed["targets"].items()
            targets |= {path: Target(path, one["hashes"]["sha256"]) for path, one in listed}
        head = parse_head(self.read(code, targets[HEAD].name))
        root = self.read(code, f"metadata/{head.root_version}.root.json")
        numbers = {"root": head.root_version, "snapshot": snapshot["version"], **named}
        found = (_TOKEN.fullmatch(path) for path in targets)
        return Edition(
            code=code,
            mark=mark,
            root=parse_root(root)[0],
            versions={**numbers, "timestamp": stamp["version"]},
            targets=targets,
            lists=frozenset(match[1] for match in found if match),
            as_of=head.issued_at,
        )

    def _signed(self, code: str, name: str) -> Any:
        return parse_json(
            self.read(code, name),
            max_bytes=MAX_METADATA_BYTES,
            max_depth=MAX_METADATA_DEPTH,
            max_members=MAX_METADATA_MEMBERS,
        )["signed"]


def is_name(name: str) -> bool:
    """Whether a name is one that a publication can have; nothing else is looked for."""
    return bool(name == TIMESTAMP or _METADATA.fullmatch(name) or _TARGET.fullmatch(name))


def is_fixed(name: str) -> bool:
    """Whether the octets under a name never change."""
    return name != TIMESTAMP


def not_there() -> RefusedError:
    return RefusedError("nothing is published under that name", code="NOT_FOUND")


def _named(signed: Any, role: str) -> int:
    version: int = signed["meta"][f"{role}.json"]["version"]
    return version
