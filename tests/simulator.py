"""A network in memory: jurisdictions, issuers, holders, desks, and a clock to turn.

Real code and real keys, no sockets. An honest world is built by verbs of the domain; a story then
does one malicious thing with the same verbs and looks at the refusal. Keys come from fixed numbers
and signatures are deterministic, so that the same world gives the same bytes.

`world.files("HK")` are a jurisdiction's artefacts as TUF would vouch for them (stories about
statements need no repository); `world.publish()` writes real TUF repositories, as name -> bytes,
for stories about bundles.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from schemas.types import TYPE_IDS, load_type, vct_of
from schemas.verdict import Verdict
from talentseal import cwt, sdjwt, statements, x509
from talentseal.artefacts import (
    CA,
    HEAD,
    LIST,
    NETWORK,
    PEERS,
    RECOGNISED,
    ROOT_MEMBER,
    STATUS,
    TYPES,
    VERIFIER_HOSTS,
    Head,
    PeerInfo,
    RootInfo,
    SignedFiles,
    dump_head,
    dump_peer,
    file_code,
    negative_digest,
    root_member,
)
from talentseal.bundle import Bundle, Part, combine
from talentseal.compiling import compile_part, peers_of
from talentseal.encoding import dump_json, from_seconds, parse_json
from talentseal.keys import SoftwareSigner, signer_from_secret
from talentseal.lote import Address, Listed, ListedKey, Scheme, Service, build_list, seal_list
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.sdjwt import Envelope
from talentseal.status_list import ChunkedList, seal_status_cwt, seal_status_jwt
from talentseal.type_metadata import CredentialType
from talentseal.verify import verify

HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY
NOW = 1_795_251_600  # 2026-11-21T09:00:00Z
FAR = datetime(2099, 1, 1, tzinfo=UTC)
DATA = Path(__file__).parent / "data"
MOUNT = "https://registry.example"


@cache
def samples() -> Mapping[str, Mapping[str, Any]]:
    document = parse_json((DATA / "samples.json").read_bytes(), max_depth=32)
    return {sample["id"]: sample for sample in document["credentials"]}


@cache
def type_of(type_id: str) -> CredentialType:
    return CredentialType.parse(load_type(type_id))


@cache
def key(name: str) -> SoftwareSigner:
    """The key of that name, the same in every world."""
    return signer_from_secret(int.from_bytes(hashlib.sha256(name.encode()).digest()) >> 1)


def bytes_from(seed: str) -> Any:
    """A source of bytes that repeats itself, in place of the system's."""
    counter = iter(range(1_000_000))
    return lambda size: hashlib.shake_256(f"{seed}:{next(counter)}".encode()).digest(size)


@dataclass
class Body:
    """A listed body with its key, its certificate chain and what was granted to it."""

    name: str
    entity_id: str
    kind: str
    signer: SoftwareSigner
    chain: Sequence[Any] = ()
    keys: list[ListedKey] = field(default_factory=list)
    grants: list[str] = field(default_factory=list)
    delegations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @property
    def x5c(self) -> list[str]:
        return x509.chain_text(self.chain)


@dataclass
class Held:
    """One certificate of one person: both forms, and where its status stands."""

    text: str
    code: bytes
    holder: SoftwareSigner
    office: "Office"
    index: int
    code_index: int

    def present(self, *names: str, audience: str, nonce: str, at: int) -> str:
        shown = sdjwt.disclose(self.text, names)
        return sdjwt.bind(shown, audience=audience, nonce=nonce, issued_at=at, signer=self.holder)

    def live(
        self, *, at: int, audience: str = cwt.OPEN_AUDIENCE, nonce: bytes = b"8 bytes."
    ) -> bytes:
        return cwt.prove(
            self.code, audience=audience, nonce=nonce, issued_at=at, signer=self.holder
        )


class Office:
    """One jurisdiction with everything it signs."""

    def __init__(self, world: "World", code: str, *, namespace: str, name: str) -> None:
        self.world = world
        self.code = code
        self.names = {"en": name}
        self.namespace = namespace
        self.entity_id = f"https://root.{namespace}"
        self.territory = [code]
        self.statement_key = key(f"{code} statement")
        self.list_key = key(f"{code} list")
        self.status_key = key(f"{code} status")
        self.dev = False
        self.root = x509.make_root_ca(
            key(f"{code} ca"), common_name=f"{name} CA", **self._certified(), serial=1,
            namespaces=[namespace],
        )  # fmt: skip
        self.sub = x509.make_sub_ca(
            self.root, key(f"{code} ca"), key(f"{code} sub-ca").public,
            common_name=f"{name} issuing CA", **self._certified(), serial=2,
        )  # fmt: skip
        self.serials = iter(range(3, 1000))
        self.bodies: dict[str, Body] = {}
        self.recognitions: list[tuple[str, str]] = []
        self.recognition_withdrawals: list[tuple[str, str]] = []
        self.peers: list[PeerInfo] = []
        self.list = ChunkedList(entries=2**12)
        self.list_id = f"{file_code(code).lower()}-1"
        self.next_index = 0
        self.list_sequence = 0
        self.jtis = iter(range(1, 10_000))
        self.hosts = ["verify.talentseal.example"]
        self.provider = self._provider()
        self.tuf = TufRepository(self)

    def _certified(self) -> dict[str, Any]:
        start = self.world.start
        return {
            "organisation": self.names["en"],
            "country": self.code[:2],
            "not_before": start - YEAR,
            "not_after": start + 20 * YEAR,
        }

    @property
    def status_uri(self) -> str:
        return f"{self.status_prefix}{self.list_id}"

    @property
    def status_prefix(self) -> str:
        return f"{MOUNT}/status/"

    def jti(self, kind: str) -> str:
        return f"{kind}-{file_code(self.code)}-{next(self.jtis)}"

    # bodies and statements

    def body(
        self, name: str, kind: str = "issuer", *, signer: SoftwareSigner | None = None
    ) -> Body:
        signer = signer or key(f"{self.code} {name}")
        entity_id = f"https://{name}.{self.namespace}"
        body = Body(name, entity_id, kind, signer, self.chain_for(entity_id, signer))
        body.keys.append(self.listed(signer))
        self.bodies[name] = body
        return body

    def chain_for(self, entity_id: str, signer: SoftwareSigner) -> Sequence[Any]:
        start = self.world.start - YEAR
        leaf = x509.make_leaf(
            self.sub, key(f"{self.code} sub-ca"), signer.public, entity_id=entity_id,
            organisation=self.names["en"], country=self.code[:2], not_before=start,
            window_end=start + 3 * YEAR, not_after=start + 9 * YEAR, serial=next(self.serials),
        )  # fmt: skip
        return [leaf, self.sub]

    def listed(self, signer: SoftwareSigner, **changes: Any) -> ListedKey:
        values = {"nbf": self.world.start - YEAR, "sign_until": None, "state": "active", **changes}
        return ListedKey(jwk=signer.public.jwk, kid=signer.public.kid, **values)

    def delegate(self, to: str | Body, **changes: Any) -> str:
        """A delegation by the root, by default of everything in the jurisdiction to a body."""
        keys = [to.signer.public.kid] if isinstance(to, Body) else [self.statement_key.public.kid]
        values = {
            "signer": self.statement_key,
            "iss": self.entity_id,
            "sub": to.entity_id if isinstance(to, Body) else self.entity_id,
            "jti": self.jti("d"),
            "mark_type": statements.MARK_ISSUE,
            "jkt": keys,
            "vct": [vct_of(t) for t in TYPE_IDS],
            "territory": self.territory,
            **self._term(YEAR),
            **changes,
        }
        return statements.seal_delegation(**values)

    def grant(
        self, to: Body, *, by: Body | None = None, types: Sequence[str] = (), **changes: Any
    ) -> str:
        """A grant, by an authority or by the root itself, entered in the body's list entry."""
        if "delegation" not in changes:
            changes["delegation"] = self.delegate(by or "root")
        values = {
            "signer": by.signer if by else self.statement_key,
            "iss": by.entity_id if by else self.entity_id,
            "sub": to.entity_id,
            "jti": self.jti("g"),
            "mark_type": statements.MARK_ISSUE,
            "jkt": [to.signer.public.kid],
            "vct": [vct_of(t) for t in types or TYPE_IDS],
            "territory": self.territory,
            **self._term(YEAR),
            **changes,
        }
        text = statements.seal_grant(**values)
        to.grants.append(text)
        return text

    def _term(self, length: int) -> dict[str, int]:
        start = self.world.start - YEAR
        return {"iat": start, "nbf": start, "exp": self.world.start + length}

    def withdraw(
        self, statement: str, effect: str, at: int, *, signer: SoftwareSigner | None = None
    ) -> str:
        found = statements.read_unverified(statement)
        text = statements.seal_withdrawal(
            signer=signer or self.statement_key, iss=self.entity_id, jti=self.jti("w"), iat=at,
            statement=found.jti, statement_s256=statements.digest(statement), effect=effect, at=at,
            reason="fictional",
        )  # fmt: skip
        self.issuers()[0].statements.append(text)
        return text

    def key_event(self, body: Body, event: str, at: int) -> str:
        text = statements.seal_key_event(
            signer=self.statement_key, iss=self.entity_id, sub=body.entity_id, jti=self.jti("k"),
            iat=at, jkt=body.signer.public.kid, event=event, at=at, reason="fictional",
        )  # fmt: skip
        body.statements.append(text)
        return text

    def issuers(self) -> list[Body]:
        return [body for body in self.bodies.values() if body.kind == "issuer"]

    def recognise(self, other: "Office", **changes: Any) -> str:
        values = {
            "signer": self.statement_key,
            "iss": self.entity_id,
            "sub": other.entity_id,
            "jti": self.jti("r"),
            "vct": [vct_of(t) for t in TYPE_IDS],
            "issued_in": other.territory,
            "valid_in": self.territory,
            "purpose": ["employment"],
            "on_end": "grandfather",
            **self._term(YEAR),
            **changes,
        }
        text = statements.seal_recognition(**values)
        self.recognitions.append((other.code, text))
        return text

    def introduce(self, other: "Office", **changes: Any) -> None:
        peer = PeerInfo(
            other.code, other.entity_id, other.territory, [other.namespace],
            hashlib.sha256(other.tuf.root_bytes(1)).hexdigest(), 1,
        )  # fmt: skip
        self.peers.append(replace(peer, **changes))

    def _provider(self) -> Body:
        body = self.body("status", "status", signer=self.status_key)
        body.grants.append(self._status_grant(body, [self.status_prefix]))
        return body

    def _status_grant(self, body: Body, prefixes: Sequence[str]) -> str:
        kind = {"mark_type": statements.MARK_STATUS, "vct": [], "territory": []}
        delegation = self.delegate("root", **kind, uri_prefix=prefixes)
        grant: dict[str, Any] = {
            **self._term(YEAR), "signer": self.statement_key, "iss": self.entity_id,
            "sub": body.entity_id, "jti": self.jti("g"), "jkt": [body.signer.public.kid],
            "mark_type": statements.MARK_STATUS, "delegation": delegation, "uri_prefix": prefixes,
        }  # fmt: skip
        return statements.seal_grant(**grant)

    # sealing

    def issue(
        self,
        sample: str = "title-01",
        *,
        by: str = "bureau",
        to: str = "mei",
        at: int | None = None,
        claims: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Held:
        """Seal a sample certificate in both forms, each with its own status index."""
        body = self.bodies[by]
        found = samples()[sample]
        kind = type_of(found["vct"])
        at = self.world.now if at is None else at
        signer = changes.pop("signer", body.signer)
        x5c = changes.pop("x5c", body.x5c)
        content = {**found["claims"], **(claims or {})}
        envelope = Envelope(
            iss=body.entity_id, iat=at - at % HOUR, exp=at - at % HOUR + 300 * DAY, nbf=None,
            territory=found["territory"], status_uri=self.status_uri, status_index=self.next_index,
        )._replace(**changes)  # fmt: skip
        holder = key(f"holder {to} {self.next_index}")
        text = sdjwt.issue(
            content, envelope, kind, holder_jwk=holder.public.jwk, signer=signer, x5c=x5c,
            randomness=bytes_from(f"{self.code} {self.next_index}"),
        )  # fmt: skip
        index, self.next_index = self.next_index, self.next_index + 2
        code = cwt.issue(
            content, envelope._replace(status_index=envelope.status_index + 1), kind,
            holder=holder.public, languages=("zh-Hans", "en"), signer=signer,
            identifier=bytes(16),
        )  # fmt: skip
        return Held(text, code, holder, self, index, index + 1)

    def set_status(self, held: Held, value: int) -> None:
        self.list.set(held.index, value)
        self.list.set(held.code_index, value)

    # files

    def root_info(self) -> RootInfo:
        ca = x509.der_of(self.root)
        return RootInfo(
            NETWORK, self.code, self.entity_id, self.names, self.dev, self.territory,
            [self.namespace], {self.statement_key.public.kid: self.statement_key.public},
            frozenset((hashlib.sha256(ca).hexdigest(),)),
            frozenset((self.list_key.public.kid,)),
        )  # fmt: skip

    def list_text(self) -> str:
        self.list_sequence += 1
        address = Address(
            "1 Fictional Road", self.code[:2], "office@example.org", "https://example.org"
        )
        scheme = Scheme(
            self.code[:2],
            self.names,
            address,
            {"en": f"{self.names['en']} list"},
            "https://example.org",
        )
        listed = [self._listing(body, address) for body in self.bodies.values()]
        payload = build_list(
            scheme, listed, sequence=self.list_sequence, issued_at=self.world.now,
            next_update=self.world.now + 100 * DAY,
        )  # fmt: skip
        chain = x509.chain_text(self.chain_for(f"https://list.{self.namespace}", self.list_key))
        return seal_list(payload, signer=self.list_key, x5c=chain, iat=self.world.now)

    def _listing(self, body: Body, address: Address) -> Listed:
        kinds = {"authority": ["authority"], "status": ["status"]}
        services = kinds.get(body.kind, [f"issue/{type_id}" for type_id in TYPE_IDS])
        return Listed(
            body.entity_id,
            {"en": f"{body.name} of {self.names['en']} (fictional)"},
            address,
            [
                Service(
                    service, self.world.now, body.keys,
                    certificates=[x509.der_of(body.chain[0])] if body.chain else [],
                    grants=body.grants, delegations=body.delegations, statements=body.statements,
                )
                for service in services
            ],
        )  # fmt: skip

    def status_tokens(self) -> dict[str, bytes]:
        common: dict[str, Any] = {
            "uri": self.status_uri, "bits": 2, "compressed": self.list.compressed(),
            "issued_at": self.world.now, "expires_at": self.world.now + 7 * DAY,
            "signer": self.status_key,
        }  # fmt: skip
        chain = self.provider.chain
        return {
            f"{STATUS}{self.list_id}.cwt": seal_status_cwt(
                **common, x5chain=[x509.der_of(c) for c in chain]
            ),
            f"{STATUS}{self.list_id}.jwt": seal_status_jwt(**common, x5c=x509.chain_text(chain)),
        }

    def own_targets(self) -> dict[str, bytes]:
        """Everything that the list office signs."""
        ca = x509.der_of(self.root)
        targets = {
            LIST: self.list_text().encode(),
            f"{CA}{hashlib.sha256(ca).hexdigest()}.der": ca,
            VERIFIER_HOSTS: dump_json({"hosts": self.hosts}),
        }
        targets |= {f"{TYPES}{type_id}.json": load_type(type_id) for type_id in TYPE_IDS}
        for peer in self.peers:
            folder = f"{PEERS}{file_code(peer.jurisdiction)}"
            targets[f"{folder}/peer.json"] = dump_peer(peer)
            targets[f"{folder}/root.json"] = self.world.offices[peer.jurisdiction].tuf.root_bytes(1)
        for number, (code, text) in enumerate(self.recognitions + self.recognition_withdrawals):
            targets[f"{RECOGNISED}{file_code(code)}/{number}.jwt"] = text.encode()
        return targets

    def negatives(self) -> set[str]:
        texts = [text for body in self.bodies.values() for text in body.statements]
        texts += [text for _, text in self.recognition_withdrawals]
        return {statements.digest(text) for text in texts}

    def head(self, root_version: int, targets_version: int) -> Head:
        negatives = self.negatives()
        return Head(
            self.code, self.world.now, root_version, targets_version, self.list_sequence,
            len(negatives), negative_digest(negatives),
        )  # fmt: skip

    def files(self) -> SignedFiles:
        targets = self.own_targets() | self.status_tokens()
        targets[HEAD] = dump_head(self.head(1, 1))
        return SignedFiles(self.root_info(), 1, 1, 1, self.world.now + 7 * DAY, targets)


class World:
    """Example City and Hong Kong and Macao, each with its bodies, peers and one recognition."""

    def __init__(self, now: int = NOW) -> None:
        self.start = now - now % HOUR
        self.now = now
        self.offices: dict[str, Office] = {}

    @classmethod
    def honest(cls, now: int = NOW) -> "World":
        world = cls(now)
        city = world.jurisdiction("CN/9999", namespace="city.example", name="Example City")
        hk = world.jurisdiction("HK", namespace="hk.example", name="Example Hong Kong")
        mo = world.jurisdiction("MO", namespace="mo.example", name="Example Macao")
        commission = city.body("commission", "authority")
        for office in (city, hk, mo):
            office.grant(office.body("bureau"))
        city.grant(city.body("station"), by=commission)
        for office in (city, hk, mo):
            for other in (city, hk, mo):
                if other is not office:
                    office.introduce(other)
        city.recognise(hk)
        hk.recognise(city)
        hk.recognise(mo)
        return world

    def jurisdiction(self, code: str, *, namespace: str, name: str) -> Office:
        office = self.offices[code] = Office(self, code, namespace=namespace, name=name)
        return office

    @property
    def city(self) -> Office:
        return self.offices["CN/9999"]

    @property
    def hk(self) -> Office:
        return self.offices["HK"]

    @property
    def mo(self) -> Office:
        return self.offices["MO"]

    def turn(self, seconds: int) -> None:
        self.now += seconds

    def bundle(
        self, home: str = "CN/9999", *, files: Mapping[str, SignedFiles] | None = None
    ) -> Bundle:
        """The bundle of a desk at `home`, compiled from what everybody signs now."""
        given = {code: office.files() for code, office in self.offices.items()} | dict(files or {})
        introduced = {peer.jurisdiction: peer for peer in peers_of(given[home])}
        parts: list[Part] = [compile_part(given[home], None, now=self.now)]
        for code, peer in introduced.items():
            parts.append(compile_part(given[code], peer, now=self.now))
        return Bundle(combine(home, parts, list(introduced.values())))

    def check(
        self,
        shown: str | bytes | Held,
        *,
        home: str = "CN/9999",
        bundle: Bundle | None = None,
        policy: Policy | None = None,
        at: int | None = None,
        **asked: Any,
    ) -> Verdict:
        """What a desk at `home` says, with fresh data of now unless told otherwise."""
        replays = asked.pop("replays", None)
        text = shown.text if isinstance(shown, Held) else shown
        evidence = (
            Evidence(text=text, **asked) if isinstance(text, str) else Evidence(code=text, **asked)
        )
        return verify(
            evidence,
            bundle or self.bundle(home),
            policy or Policy(home=home, place=home, purpose="employment"),
            now=from_seconds(self.now if at is None else at),
            replays=replays,
        )

    def publish(self) -> dict[str, bytes]:
        """Every jurisdiction's repository after one more publication: file name -> bytes."""
        files: dict[str, bytes] = {}
        for office in self.offices.values():
            files |= office.tuf.publish()
        return files


def verdict_codes(verdict: Verdict) -> list[str]:
    return [str(code) for code in verdict.codes]


class FileSource:
    """Published files as a transport for `sync`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read(self, name: str) -> Iterator[bytes]:
        if name not in self.files:
            raise FileNotFoundError(name)
        yield self.files[name]

    def offers(self, code: str) -> bool:
        return code in self.jurisdictions()

    def jurisdictions(self) -> list[str]:
        return [n.split("/")[0] for n in self.files if n.endswith("/metadata/1.root.json")]


class MemoryReplays:
    """Used proofs, remembered in memory."""

    def __init__(self) -> None:
        self.used: set[bytes] = set()

    def first_use(self, key: bytes, *, until: int) -> bool:
        del until
        fresh = key not in self.used
        self.used.add(key)
        return fresh


# --- real TUF repositories ------------------------------------------------------------------------


def tuf_signer(name: str) -> Any:
    """An Ed25519 signer of python-tuf: deterministic, so that worlds repeat."""
    from securesystemslib.signer import CryptoSigner

    seed = hashlib.sha256(f"tuf {name}".encode()).digest()
    return CryptoSigner(ed25519.Ed25519PrivateKey.from_private_bytes(seed))


class TufRepository:
    """One jurisdiction's repository: versions rise with every publication."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.expires = dict.fromkeys(("root", "targets", "status", "snapshot", "timestamp"), FAR)
        self.signers = {
            role: [tuf_signer(f"{office.code} {role} {n}") for n in range(count)]
            for role, count in (
                ("root", 3), ("targets", 3), ("snapshot", 1), ("timestamp", 1), ("status", 1),
            )
        }  # fmt: skip
        self.thresholds = {"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1}
        self.versions = dict.fromkeys(("targets", "status", "snapshot", "timestamp"), 0)
        self.roots: list[bytes] = []

    def root_bytes(self, version: int) -> bytes:
        if not self.roots:
            self.new_root()
        return self.roots[version - 1]

    def new_root(self, *, signers: Sequence[Any] | None = None, **changes: Any) -> bytes:
        """The next root, signed by its officers and, from the second on, by those before."""
        from tuf.api.metadata import Metadata, Role, Root

        roles = {
            role: Role([s.public_key.keyid for s in self.signers[role]], threshold)
            for role, threshold in self.thresholds.items()
        }
        keys = {
            s.public_key.keyid: s.public_key for role in self.thresholds for s in self.signers[role]
        }
        member = {**root_member(self.office.root_info()), **changes}
        root = Metadata(
            Root(
                version=len(self.roots) + 1,
                expires=self.expires["root"],
                keys=keys,
                roles=roles,
                consistent_snapshot=True,
                unrecognized_fields={ROOT_MEMBER: member},
            )
        )
        for signer in signers if signers is not None else self.signers["root"]:
            root.sign(signer, append=True)
        self.roots.append(root.to_bytes())
        return self.roots[-1]

    def publish(self, *, targets: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
        self.root_bytes(1)
        self.versions = {role: version + 1 for role, version in self.versions.items()}
        own = dict(targets) if targets is not None else self.office.own_targets()
        status = self.office.status_tokens()
        head = self.office.head(len(self.roots), self.versions["targets"])
        return self.assemble(own, {**status, HEAD: dump_head(head)})

    def assemble(self, own: Mapping[str, bytes], status: Mapping[str, bytes]) -> dict[str, bytes]:
        """Sign the given targets into a whole repository."""
        files = {f"metadata/{n}.root.json": data for n, data in enumerate(self.roots, 1)}
        for path, data in {**own, **status}.items():
            folder, _, name = path.rpartition("/")
            files[f"targets/{folder}/{hashlib.sha256(data).hexdigest()}.{name}"] = data
        metas = {
            "targets": self._sign("targets", self._targets(own, delegate=True)),
            "status": self._sign("status", self._targets(status, delegate=False)),
        }
        snapshot = self._sign("snapshot", self._snapshot(metas))
        for role, data in {**metas, "snapshot": snapshot}.items():
            files[f"metadata/{self.versions[role]}.{role}.json"] = data
        files["metadata/timestamp.json"] = self._sign("timestamp", self._timestamp(snapshot))
        return {f"{file_code(self.office.code)}/{name}": data for name, data in files.items()}

    def _sign(self, role: str, signed: Any) -> bytes:
        from tuf.api.metadata import Metadata

        metadata = Metadata(signed)
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        data: bytes = metadata.to_bytes()
        return data

    def _targets(self, files: Mapping[str, bytes], *, delegate: bool) -> Any:
        from tuf.api.metadata import DelegatedRole, Delegations, TargetFile, Targets

        role = "targets" if delegate else "status"
        delegations = None
        if delegate:
            signer = self.signers["status"][0]
            named = DelegatedRole("status", [signer.public_key.keyid], 1, True, paths=["status/*"])
            delegations = Delegations(
                {signer.public_key.keyid: signer.public_key}, {"status": named}
            )
        listed = {
            path: TargetFile.from_data(path, data, ["sha256"]) for path, data in files.items()
        }
        return Targets(
            version=self.versions[role], expires=self.expires[role], targets=listed,
            delegations=delegations,
        )  # fmt: skip

    def _snapshot(self, metas: Mapping[str, bytes]) -> Any:
        from tuf.api.metadata import MetaFile, Snapshot

        meta = {
            f"{role}.json": MetaFile.from_data(self.versions[role], data, ["sha256"])
            for role, data in metas.items()
        }
        return Snapshot(
            version=self.versions["snapshot"], expires=self.expires["snapshot"], meta=meta
        )

    def _timestamp(self, snapshot: bytes) -> Any:
        from tuf.api.metadata import MetaFile, Timestamp

        meta = MetaFile.from_data(self.versions["snapshot"], snapshot, ["sha256"])
        return Timestamp(
            version=self.versions["timestamp"],
            expires=self.expires["timestamp"],
            snapshot_meta=meta,
        )
