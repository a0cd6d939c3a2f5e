"""Write the vectors anew: `python tests/vectors/build.py [FOLDER]`.

Everything comes from fixed keys and deterministic signatures, so the same code writes the same
bytes. A case is a folder with `case.json` and the raw evidence; one bundle serves all of them.
"""

import io
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from simulator import DAY, HOUR, NOW, Held, World, bytes_from, key, samples, type_of  # noqa: E402

from talentseal import codetext, cose, cwt, sdjwt  # noqa: E402
from talentseal.encoding import (  # noqa: E402
    Tag,
    b64url_decode,
    b64url_encode,
    deflate,
    digits_encode,
    dump_cbor,
    dump_json,
    format_time,
    parse_cbor,
    parse_json,
)
from talentseal.jose import sign_jws  # noqa: E402
from talentseal.keys import SoftwareSigner  # noqa: E402

HOST = "verify.talentseal.example"
AUDIENCE = "https://desk.example"
NONCE = b64url_encode(bytes(range(16)))
BUNDLE = "network.zip"


@dataclass
class Case:
    group: str
    name: str
    what: str
    standard: str
    evidence: str | bytes
    outcome: str = "accept"
    codes: list[str] = field(default_factory=list)
    at: int = NOW
    home: str = "CN/9999"
    asked: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "standard": self.standard,
            "now": format_time(self.at),
            "bundle": f"../../{BUNDLE}",
            "evidence": self.file,
            **self.asked,
            "policy": {
                "name": "vector", "version": 1, "home": self.home, "place": self.home,
                "purpose": "employment", **self.policy,
            },
            "expect": {"outcome": self.outcome, "codes": self.codes},
        }  # fmt: skip

    @property
    def file(self) -> str:
        return "evidence.txt" if isinstance(self.evidence, str) else "evidence.cwt"


# --- the network of the vectors -------------------------------------------------------------------

LAW = "trust rules of docs/tour.md"
SDJWT = "RFC 9901 §7.1"


def network() -> World:
    """One honest city, and one body for each way in which a grant can be wrong or have ended."""
    world = World.honest()
    for office in world.offices.values():
        office.dev = True
        office.tuf.roots.clear()
    city = world.city
    type_ids = ["professional-title/1"]
    city.body("nothing")
    city.grant(city.body("othertype"), types=["talent-confirmation/1"])
    city.grant(city.body("district"), territory=["CN/999901"])
    city.grant(city.body("medicine"), profession=["doctor"])
    city.grant(city.body("brief"), max_validity=30 * DAY)
    city.grant(city.body("ended"), exp=world.start - 10 * DAY)
    city.grant(city.body("approved"), delegation=city.delegate("root", approval_required=True))
    wide = city.delegate(city.bodies["commission"], territory=["CN/999901"])
    city.grant(city.body("wide"), by=city.bodies["commission"], delegation=wide)
    city.grant(city.body("copied"), delegation=None)
    for effect in ("from", "review", "void", "anchored", "suspend"):
        statement = city.grant(city.body(f"{effect}ed"), types=type_ids)
        city.withdraw(statement, effect, world.start - 5 * DAY)
    retired = city.body("retired")
    city.grant(retired)
    city.key_event(retired, "retired", world.start - 5 * DAY)
    stolen = city.body("stolen")
    city.grant(stolen)
    city.key_event(stolen, "compromised", world.start - 5 * DAY)
    for office in world.offices.values():
        office.peers.clear()
        for other in world.offices.values():
            if other is not office:
                office.introduce(other)
    return world


def archive(world: World) -> bytes:
    """The published files as one zip; the first jurisdiction is the exporter's own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name, data in world.publish().items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, data)
    return buffer.getvalue()


# --- tools ----------------------------------------------------------------------------------------


def text_of(code: bytes, form: Any = "digits") -> str:
    return codetext.write_text(code, host=HOST, form=form)


def payload_of(held: Held) -> dict[str, Any]:
    payload: dict[str, Any] = parse_json(sdjwt.parse(held.text).jws.payload)
    return payload


def resealed(
    held: Held,
    payload: Mapping[str, Any] | bytes | None = None,
    *,
    header: Mapping[str, Any] | None = None,
    signer: SoftwareSigner | None = None,
    disclosures: list[str] | None = None,
) -> str:
    """The credential with other content, sealed again by the real key."""
    parsed = sdjwt.parse(held.text)
    body = held.office.bodies["bureau"]
    content = payload if isinstance(payload, bytes) else dump_json(payload or payload_of(held))
    merged = {k: v for k, v in {**parsed.jws.header, **(header or {})}.items() if v is not None}
    token = sign_jws(content, merged, signer or body.signer)
    kept = list(parsed.disclosures) if disclosures is None else disclosures
    return "~".join((token, *kept, ""))


def disclosure(*parts: Any) -> tuple[str, str]:
    """A disclosure and its digest."""
    import hashlib

    text = b64url_encode(dump_json(list(parts)))
    return text, b64url_encode(hashlib.sha256(text.encode()).digest())


def recoded(held: Held, change: Callable[[dict[Any, Any]], None]) -> bytes:
    """The code with other claims, sealed again by the real key."""
    message = cose.parse_sign1(held.code)
    claims = parse_cbor(message.payload)
    change(claims)
    protected = {4: message.protected[4], 16: message.protected[16]}
    signer = held.office.bodies["bureau"].signer
    return cose.sign_sign1(dump_cbor(claims), protected, signer)


def with_labels(change: Callable[[dict[Any, Any]], Any]) -> Callable[[dict[Any, Any]], None]:
    def apply(claims: dict[Any, Any]) -> None:
        change(claims[-70000])

    return apply


def flipped(text: str, at: int) -> str:
    other = "A" if text[at] != "A" else "B"
    return text[:at] + other + text[at + 1 :]


# --- the cases ------------------------------------------------------------------------------------


def sample_cases(world: World) -> Iterator[Case]:
    for name, sample in samples().items():
        office = world.offices.get(sample["jurisdiction"])
        if office is None:
            continue
        at = NOW if sample["check_at"] == "2026-11-21" else None
        if at is None:
            continue  # a certificate of another year: its seal would be younger than the bundle
        held = office.issue(name)
        value = {"VALID": 0, "INVALID": 1, "SUSPENDED": 2}[sample["status"]["value"]]
        office.set_status(held, value)
        expected = sample["expected"]
        for form, evidence in (("wallet", held.text), ("code", text_of(held.code))):
            yield Case(
                "samples", f"{name}-{form}", f"sample {name}: {sample['story']}", LAW, evidence,
                expected["outcome"], list(expected["codes"]), home=office.code,
            )  # fmt: skip


def sdjwt_cases(world: World) -> Iterator[Case]:
    held = world.city.issue()

    def refused(name: str, what: str, evidence: str, *codes: str, standard: str = SDJWT) -> Case:
        return Case("sdjwt", name, what, standard, evidence, "refuse", list(codes))

    good = payload_of(held)
    token, _, rest = held.text.partition("~")
    header, body, signature = token.split(".")
    yield Case("sdjwt", "all-disclosed", "everything disclosed", SDJWT, held.text)
    yield Case("sdjwt", "nothing-disclosed", "nothing disclosed", SDJWT, token + "~")
    shown = sdjwt.disclose(held.text, ["id_document.number_tail"])
    yield Case("sdjwt", "one-part-disclosed", "one member of a hidden claim", SDJWT, shown)
    yield refused(
        "stray-bits", "stray bits in the last character of the signature",
        f"{header}.{body}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}~{rest}",
        "MALFORMED", standard="RFC 4648 §3.5",
    )  # fmt: skip
    yield refused(
        "padded", "a padded part", f"{header}.{body}.{signature}==~{rest}", "MALFORMED",
        standard="RFC 7515 §2",
    )  # fmt: skip
    yield refused(
        "altered", "one character of the content changed",
        f"{header}.{b64url_encode(dump_json({**good, 'exp': good['exp'] + HOUR}))}.{signature}~",
        "SIGNATURE_INVALID",
    )  # fmt: skip
    yield refused("signature-of-zeros", "r and s are zero",
                  f"{header}.{body}.{b64url_encode(bytes(64))}~", "SIGNATURE_INVALID",
                  standard="FIPS 186-5 §6.4.2")  # fmt: skip
    yield refused("no-tilde", "a bare JWS", token, "NOT_A_CREDENTIAL")
    for typ in ("vc+sd-jwt", "kb+jwt", "statuslist+jwt", "trust-mark+jwt"):
        yield refused(f"typ-{typ.replace('+', '-')}", f"a token of the kind {typ}",
                      resealed(held, header={"typ": typ}), "TYPE_CONFUSION")  # fmt: skip
    yield refused("typ-missing", "no kind at all", resealed(held, header={"typ": None}),
                  "TYPE_CONFUSION")  # fmt: skip
    yield refused("crit", "a critical header", resealed(held, header={"crit": ["exp"]}),
                  "CRIT_UNKNOWN")  # fmt: skip
    for alg in ("none", "None", "HS256", "RS256", "ES384", "ES256K"):
        forged = b64url_encode(dump_json({**sdjwt.parse(held.text).jws.header, "alg": alg}))
        yield refused(f"alg-{alg}", f"the algorithm {alg}", f"{forged}.{body}.{signature}~",
                      "ALG_NOT_ALLOWED", standard="RFC 8725 §3.1")  # fmt: skip
    yield refused("no-kid", "no key identifier", resealed(held, header={"kid": None}), "MALFORMED")
    yield refused("no-chain", "no certificate chain", resealed(held, header={"x5c": None}),
                  "CLAIM_MISSING")  # fmt: skip
    yield refused("foreign-chain", "the chain of another body",
                  resealed(held, header={"x5c": world.city.bodies["station"].x5c}),
                  "CERT_ISS_MISMATCH", standard="RFC 5280 §6")  # fmt: skip
    duplicate = dump_json(good)[:-1] + b',"iss":"https://bureau.city.example"}'
    yield refused("duplicate-name", "a member name twice", resealed(held, duplicate), "MALFORMED",
                  standard="RFC 7493 §2.3")  # fmt: skip
    escaped = dump_json(good)[:-1] + b',"is\\u0073":"x"}'
    yield refused("duplicate-escaped", "the same name in another spelling",
                  resealed(held, escaped), "MALFORMED", standard="RFC 7493 §2.3")  # fmt: skip
    for name, change in (
        ("iat-text", {"iat": str(good["iat"])}), ("iat-bool", {"iat": True}),
        ("exp-huge", {"exp": 10**15}), ("status-text", {"status": {"status_list": {
            "uri": good["status"]["status_list"]["uri"], "idx": "1"}}}),
        ("territory-empty", {"territory": []}), ("iss-list", {"iss": [good["iss"]]}),
        ("cnf-private", {"cnf": {"jwk": {**good["cnf"]["jwk"], "d": "AA"}}}),
        ("date-wrong", {"acquired_on": "2025-13-01"}),
    ):  # fmt: skip
        yield refused(name, f"an impossible value: {name}", resealed(held, {**good, **change}),
                      "CLAIM_INVALID")  # fmt: skip
    for name in ("vct", "iat", "exp", "cnf", "title_level"):
        less = {k: v for k, v in good.items() if k != name}
        yield refused(f"no-{name}", f"{name} is missing", resealed(held, less), "CLAIM_MISSING")
    yield refused("integrity", "another type document was meant",
                  resealed(held, {**good, "vct#integrity": "sha256-" + "A" * 43 + "="}),
                  "VCT_INTEGRITY")  # fmt: skip
    yield Case("sdjwt", "unknown-type", "a type that the bundle does not hold", SDJWT,
               resealed(held, {**good, "vct": "https://types.talentseal.example/other/1"}),
               "refer", ["VCT_UNKNOWN"])  # fmt: skip


def disclosure_cases(world: World) -> Iterator[Case]:
    held = world.city.issue()
    good = payload_of(held)
    real = list(sdjwt.parse(held.text).disclosures)

    def with_extra(name: str, what: str, parts: list[Any], code: str) -> Case:
        text, digest = disclosure(*parts)
        content = {**good, "_sd": sorted([*good["_sd"], digest])}
        return case(name, what, resealed(held, content, disclosures=[*real, text]), code)

    def case(name: str, what: str, evidence: str, code: str) -> Case:
        return Case("disclosures", name, what, SDJWT, evidence, "refuse", [code])

    unused, digest = disclosure("c2FsdA", "extra", 1)
    yield case("unused", "a disclosure that nothing refers to", held.text + unused + "~",
               "DISCLOSURE_INVALID")  # fmt: skip
    yield case("twice", "the same disclosure twice", held.text + real[0] + "~",
               "DISCLOSURE_INVALID")  # fmt: skip
    for name in ("_sd", "...", "_sd_alg", "iss", "exp", "cnf", "status", "vct", "territory"):
        yield with_extra(f"forbidden-{name.strip('._') or 'dots'}", f"{name} may not be hidden",
                         ["c2FsdA", name, 1], "DISCLOSURE_FORBIDDEN")  # fmt: skip
    yield with_extra("shadow", "a name that is there already", ["c2FsdA", "title_level", "senior"],
                     "DISCLOSURE_INVALID")  # fmt: skip
    yield with_extra("element-as-claim", "a list element where a claim belongs", ["c2FsdA", "x"],
                     "DISCLOSURE_INVALID")  # fmt: skip
    yield with_extra("name-not-text", "a claim whose name is a number", ["c2FsdA", 7, "x"],
                     "DISCLOSURE_INVALID")  # fmt: skip
    yield with_extra("unknown-claim", "a claim that the type does not have",
                     ["c2FsdA", "salary", 1], "CLAIM_INVALID")  # fmt: skip
    for algorithm in ("sha-1", "md5", "sha-512"):
        yield case(
            f"alg-{algorithm}",
            f"digests by {algorithm}",
            resealed(held, {**good, "_sd_alg": algorithm}),
            "DISCLOSURE_INVALID",
        )
    twice = {**good, "_sd": [*good["_sd"], good["_sd"][0]]}
    yield case("digest-twice", "one digest in two places", resealed(held, twice),
               "DISCLOSURE_INVALID")  # fmt: skip
    yield case("digest-short", "a digest of a wrong length",
               resealed(held, {**good, "_sd": [*good["_sd"], digest[:-1]]}),
               "DISCLOSURE_INVALID")  # fmt: skip
    yield case("in-clear", "a claim in clear that must be hidden",
               resealed(held, {**good, "sex": "F"}), "DISCLOSURE_INVALID")  # fmt: skip
    bad = resealed(held, {**good, "mapped_from": [{"...": digest, "more": 1}]})
    yield case("placeholder", "a placeholder with other members", bad, "DISCLOSURE_INVALID")


def binding_cases(world: World) -> Iterator[Case]:
    held = world.city.issue()
    asked = {"audience": AUDIENCE, "nonce": NONCE}

    def presented(**changes: Any) -> str:
        values = {"audience": AUDIENCE, "nonce": NONCE, "at": NOW, **changes}
        return held.present("display_name", **values)

    def case(name: str, what: str, evidence: str, outcome: str = "refuse", *codes: str) -> Case:
        return Case("key-binding", name, what, "RFC 9901 §7.3", evidence, outcome, list(codes),
                    asked=asked)  # fmt: skip

    yield case("good", "a presentation to this desk, now", presented(), "accept")
    yield case("audience", "made for another verifier", presented(audience=AUDIENCE + "/"),
               "refuse", "HOLDER_AUDIENCE")  # fmt: skip
    yield case("nonce", "an answer to another request", presented(nonce=NONCE[:-1] + "A"),
               "refuse", "HOLDER_NONCE")  # fmt: skip
    yield case("stale", "six minutes old", presented(at=NOW - 360), "refer", "HOLDER_TIME")
    yield case("ahead", "six minutes ahead", presented(at=NOW + 360), "refer", "HOLDER_TIME")
    bound = sdjwt.disclose(held.text, ["display_name"])
    other = sdjwt.bind(bound, audience=AUDIENCE, nonce=NONCE, issued_at=NOW, signer=key("thief"))
    yield case("other-key", "proved by another key", other, "refuse", "HOLDER_PROOF_INVALID")
    proof = presented().rsplit("~", 1)[1]
    bare = held.text.split("~")[0] + "~" + proof
    yield case("removed", "a disclosure removed", bare, "refuse", "HOLDER_PROOF_INVALID")
    yield case("added", "disclosures added after the proof", held.text + proof, "refuse",
               "HOLDER_PROOF_INVALID")  # fmt: skip
    yield Case(
        "key-binding",
        "required",
        "a copy where a proof is demanded",
        "RFC 9901 §7.3",
        held.text,
        "refuse",
        ["HOLDER_PROOF_MISSING"],
        policy={"holder": "required"},
    )


def code_cases(world: World) -> Iterator[Case]:
    held = world.city.issue()

    def case(name: str, what: str, evidence: bytes, code: str, standard: str = "RFC 9052") -> Case:
        return Case("cwt", name, what, standard, evidence, "refuse", [code])

    yield Case("cwt", "static", "a static code", "RFC 8392", held.code)
    unbound = cwt.issue(
        samples()["title-01"]["claims"],
        sdjwt.Envelope("https://bureau.city.example", NOW, NOW + 300 * DAY, None, ["CN/9999"],
                       world.city.status_uri, 4000),
        type_of("professional-title/1"), holder=None, languages=("en",),
        signer=world.city.bodies["bureau"].signer, identifier=bytes_from("cti")(16),
    )  # fmt: skip
    yield Case("cwt", "without-holder", "a code for a person without a wallet", "RFC 8392", unbound)
    yield case(
        "label-unknown",
        "a label the type does not have",
        recoded(held, with_labels(lambda labels: labels.update({99: "x"}))),
        "CLAIM_INVALID",
    )
    yield case(
        "label-missing",
        "a mandatory label is absent",
        recoded(held, with_labels(lambda labels: labels.pop(8))),
        "CLAIM_MISSING",
    )
    yield case(
        "claim-unknown",
        "a claim outside the profile",
        recoded(held, lambda claims: claims.update({-65538: 1})),
        "CLAIM_INVALID",
    )
    yield case("date-text", "a date as text",
               recoded(held, with_labels(lambda labels: labels.update({5: "2026-01-15"}))),
               "CLAIM_INVALID")  # fmt: skip
    yield case("three-languages", "three languages of one text",
               recoded(held, with_labels(lambda labels: labels[8].update({2: "a", 3: "b"}))),
               "CLAIM_INVALID")  # fmt: skip
    yield case("trailing", "a byte after the code", held.code + b"\x00", "MALFORMED")
    yield case("cut", "the last byte is missing", held.code[:-1], "MALFORMED")
    yield case("untagged", "no COSE_Sign1 tag", held.code[1:], "MALFORMED")
    yield case(
        "long-head",
        "a length longer than it need be",
        held.code.replace(b"\x58\x40", b"\x59\x00\x40"),
        "MALFORMED",
        "RFC 8949 §4.2.1",
    )
    yield case("indefinite", "an array of no stated length", b"\xd2\x9f" + held.code[2:] + b"\xff",
               "MALFORMED", "RFC 8949 §4.2.1")  # fmt: skip
    flipped_code = held.code[:-1] + bytes((held.code[-1] ^ 1,))
    yield case("altered", "one bit of the signature", flipped_code, "SIGNATURE_INVALID")
    parts = parse_cbor(held.code).value
    others = {label: value for label, value in parse_cbor(parts[0]).items() if label != 1}
    mac = dump_cbor(Tag(18, [dump_cbor({1: 5, **others}), {}, parts[2], parts[3]]))
    yield case("mac", "a MAC algorithm", mac, "ALG_NOT_ALLOWED", "RFC 9053")


def text_cases(world: World) -> Iterator[Case]:
    held = world.city.issue()
    code = held.code

    def case(name: str, what: str, text: str, *codes: str) -> Case:
        outcome = "refuse" if codes else "accept"
        return Case("code-text", name, what, "docs/decisions/0003", text, outcome, list(codes))

    digits = digits_encode(code)
    for form in ("digits", "base45", "base64url"):
        yield case(form, f"the text form {form}", text_of(code, form))
    yield case("bare-digits", "digits without an address", digits)
    yield case("other-host", "another host, which is a remark", f"https://other.example/#{digits}")
    yield case("http", "another scheme", f"http://{HOST}/#{digits}", "NOT_A_CREDENTIAL")
    yield case("path", "a path", f"https://{HOST}/x#{digits}", "NOT_A_CREDENTIAL")
    yield case("digit-lost", "one digit fewer", f"https://{HOST}/#{digits[:-1]}", "MALFORMED")
    yield case("group-range", "a group above its range",
               f"https://{HOST}/#" + "9" * 17 + digits[17:], "MALFORMED")  # fmt: skip
    bomb = digits_encode(deflate(b"\xd2" + bytes(100_000)))
    yield case("bomb", "a text that expands a thousandfold", f"https://{HOST}/#{bomb}", "TOO_LARGE")
    junk = digits_encode(deflate(code) + b"\x00")
    yield case("junk", "bytes after the compressed code", f"https://{HOST}/#{junk}", "MALFORMED")
    yield case("web-page", "an ordinary web address", "https://example.org/", "NOT_A_CREDENTIAL")


def dynamic_cases(world: World) -> Iterator[Case]:
    held = world.city.issue(at=NOW - DAY)

    def case(name: str, what: str, code: bytes, outcome: str, *codes: str,
             nonce: str | None = None) -> Case:  # fmt: skip
        asked = {"audience": AUDIENCE, "nonce": nonce} if nonce else {}
        return Case("dynamic", name, what, "draft-ietf-spice-sd-cwt-08", code, outcome,
                    list(codes), asked=asked)  # fmt: skip

    challenge = b64url_decode(NONCE)
    answer = held.live(at=NOW, audience=AUDIENCE, nonce=challenge)
    yield case("challenge", "an answer to this desk's challenge", answer, "accept", nonce=NONCE)
    yield case("short", "an answer to eight digits read out", held.live(at=NOW, nonce=b"12345678"),
               "accept", nonce="12345678")  # fmt: skip
    yield case("open", "shown first, within the window", held.live(at=NOW - 100), "accept")
    yield case(
        "open-stale", "shown first, too long ago", held.live(at=NOW - 121), "refer", "HOLDER_TIME"
    )
    yield case("other-challenge", "an answer to another challenge",
               held.live(at=NOW, audience=AUDIENCE, nonce=bytes(16)), "refuse", "HOLDER_NONCE",
               nonce=NONCE)  # fmt: skip
    yield case("other-audience", "made for another desk",
               held.live(at=NOW, audience="https://other.example", nonce=challenge), "refuse",
               "HOLDER_AUDIENCE", nonce=NONCE)  # fmt: skip
    yield case("unasked", "an answer where nobody asked", answer, "refuse", "HOLDER_AUDIENCE")
    inner = parse_cbor(held.code)
    stolen = cose.sign_sign1(dump_cbor({3: cwt.OPEN_AUDIENCE, 6: NOW, 39: b"12345678"}),
                             {13: inner, 16: cwt.TYP_KEY_BINDING}, key("thief"))  # fmt: skip
    yield case("other-key", "proved by another key", stolen, "refuse", "HOLDER_PROOF_INVALID")


def time_cases(world: World) -> Iterator[Case]:
    city = world.city
    yield Case(
        "time",
        "expired",
        "past its end",
        SDJWT,
        city.issue(at=NOW - 20 * DAY, exp=NOW - DAY).text,
        "refuse",
        ["EXPIRED"],
    )
    yield Case("time", "skew", "past its end by less than the clocks may differ", SDJWT,
               city.issue(at=NOW - 20 * DAY, exp=NOW - 30).text)  # fmt: skip
    yield Case("time", "not-yet", "before its start", SDJWT, city.issue(nbf=NOW + DAY).text,
               "refuse", ["NOT_YET_VALID"])  # fmt: skip
    yield Case("time", "future", "sealed tomorrow", SDJWT, city.issue(at=NOW + DAY).text,
               "refuse", ["ISSUED_IN_FUTURE"])  # fmt: skip
    held = city.issue()
    yield Case("time", "stale-data", "trust data a day and an hour old, which is a remark", LAW,
               held.text, at=NOW + 25 * HOUR)  # fmt: skip
    yield Case("time", "old-data", "trust data eight days old", LAW, held.text, "refer",
               ["TRUST_DATA_EXPIRED", "STATUS_STALE"], at=NOW + 8 * DAY)  # fmt: skip
    yield Case(
        "time",
        "clock-behind",
        "a clock a day behind what is proven",
        LAW,
        city.issue(at=NOW - 2 * DAY).text,
        "refer",
        ["CLOCK_ROLLED_BACK"],
        at=NOW - DAY,
    )


def status_cases(world: World) -> Iterator[Case]:
    city = world.city
    standard = "draft-ietf-oauth-status-list-21 §8.3"
    for value, code, outcome in ((1, "REVOKED", "refuse"), (2, "SUSPENDED", "refuse"),
                                 (3, "STATUS_VALUE_UNKNOWN", "refer")):  # fmt: skip
        held = city.issue()
        city.set_status(held, value)
        yield Case(
            "status", code.lower(), f"the list says {value}", standard, held.text, outcome, [code]
        )
    yield Case(
        "status",
        "beyond",
        "an index beyond the end of the list",
        standard,
        city.issue(status_index=2**12).text,
        "refuse",
        ["STATUS_INDEX_OUT_OF_RANGE"],
    )
    held = city.issue()
    without = {k: v for k, v in payload_of(held).items() if k != "status"}
    yield Case("status", "missing", "no status although the type demands one", standard,
               resealed(held, without), "refuse", ["STATUS_MISSING"])  # fmt: skip
    yield Case("status", "not-held", "a list of this place that is not held", standard,
               city.issue(status_uri=f"{city.status_prefix}other").text, "refer",
               ["STATUS_UNAVAILABLE"])  # fmt: skip
    yield Case("status", "elsewhere", "a list outside the network", standard,
               city.issue(status_uri="https://elsewhere.example/1").text, "refer",
               ["STATUS_MISMATCH"])  # fmt: skip


def authority_cases(world: World) -> Iterator[Case]:
    city = world.city

    def case(by: str, code: str | None, what: str, outcome: str = "refuse", **changes: Any) -> Case:
        name = f"{by}-{(code or 'accept').lower().replace('_', '-')}"
        text = city.issue(by=by, **changes).text
        return Case("authority", name, what, LAW, text, outcome, [code] if code else [])

    yield case("station", None, "a station under a commission", "accept")
    yield case("nothing", "NO_GRANT", "listed, with no right at all")
    yield case("othertype", "GRANT_SCOPE_TYPE", "a right for another type")
    yield case("district", "GRANT_SCOPE_TERRITORY", "a right for a district only")
    yield case("medicine", "GRANT_SCOPE_PROFESSION", "a right for another profession")
    yield case("brief", "VALIDITY_TOO_LONG", "longer than the right allows")
    yield case("ended", "GRANT_NOT_IN_FORCE", "sealed after the right had ended")
    yield case("approved", "APPROVAL_MISSING", "a second approval is demanded")
    yield case("wide", "DELEGATION_WIDENED", "the commission granted beyond its delegation")
    yield case("copied", "DELEGATION_MISSING", "no delegation behind the grant")
    before, after = NOW - 6 * DAY, NOW - 4 * DAY
    yield case("fromed", None, "sealed before the right was withdrawn", "accept", at=before)
    yield case("fromed", "GRANT_WITHDRAWN", "sealed after the right was withdrawn", at=after)
    yield case(
        "reviewed", "GRANT_UNDER_REVIEW", "earlier certificates under review", "refer", at=before
    )
    yield case("voided", "GRANT_VOID", "void from the start", at=before)
    yield case("anchoreded", "NOT_ANCHORED", "the right ended for cause", at=before)
    yield case("suspended", "GRANT_SUSPENDED", "sealed while suspended", at=after)
    yield case("retired", None, "sealed before the key was retired", "accept", at=before)
    yield case(
        "retired", "KEY_RETIRED_BEFORE_SIGNING", "sealed after the key was retired", at=after
    )
    yield case("stolen", "KEY_COMPROMISED", "a stolen key, whatever the time it claims", at=before)
    other = city.issue(signer=key("unlisted"))
    yield Case("authority", "key-unknown", "a listed body, an unlisted key", LAW,
               resealed(other, signer=key("unlisted"), header={"kid": key("unlisted").public.kid}),
               "refuse", ["KEY_UNKNOWN"])  # fmt: skip
    held = city.issue()
    unknown = payload_of(held) | {"iss": "https://nobody.city.example"}
    yield Case("authority", "issuer-unknown", "a body on nobody's list", LAW,
               resealed(held, unknown), "refuse", ["ISSUER_UNKNOWN"])  # fmt: skip


def recognition_cases(world: World) -> Iterator[Case]:
    title, qualification = world.city.issue(), world.hk.issue("qual-01")
    macao = world.mo.issue("qual-02")

    def case(name: str, what: str, held: Held, home: str, *codes: str, **policy: Any) -> Case:
        outcome = (
            "accept" if not codes else "refer" if codes == ("PURPOSE_UNDECLARED",) else "refuse"
        )
        return Case("recognition", name, what, LAW, held.text, outcome, list(codes), home=home,
                    policy=policy)  # fmt: skip

    yield case("city-in-hk", "recognised for employment", title, "HK")
    yield case("hk-in-city", "recognised the other way", qualification, "CN/9999")
    yield case("macao-in-hk", "recognised by Hong Kong", macao, "HK")
    yield case("hk-in-macao", "not recognised in return", qualification, "MO", "NOT_RECOGNISED")
    yield case("not-transitive", "what Hong Kong recognises is nothing to the city", macao,
               "CN/9999", "NOT_RECOGNISED")  # fmt: skip
    yield case("purpose", "recognised, for another purpose", title, "HK", "RECOGNITION_SCOPE",
               purpose="study")  # fmt: skip
    yield case("not-asked", "the question is not asked", macao, "CN/9999", recognition=False)


GROUPS: tuple[Callable[[World], Iterator[Case]], ...] = (
    sample_cases, sdjwt_cases, disclosure_cases, binding_cases, code_cases, text_cases,
    dynamic_cases, time_cases, status_cases, authority_cases, recognition_cases,
)  # fmt: skip


def build(folder: Path) -> int:
    """Write every case and the bundle below `folder`; return how many cases there are."""
    world = network()
    cases = [case for group in GROUPS for case in group(world)]
    for case in cases:
        place = folder / case.group / case.name
        place.mkdir(parents=True, exist_ok=True)
        document = pretty(case.document())
        (place / "case.json").write_bytes(document)
        data = case.evidence.encode() if isinstance(case.evidence, str) else case.evidence
        (place / case.file).write_bytes(data)
    (folder / BUNDLE).write_bytes(archive(world))
    return len(cases)


def pretty(document: Mapping[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    print(f"{build(target)} cases")
