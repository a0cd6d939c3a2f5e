"""Words for people: a sentence and a next step for every code, in four languages.

It promises that every code of `schemas.verdict` and `schemas.problem` has words in every one of
`LANGUAGES`, that a verdict has one lead sentence, and that no sentence holds a claim's value, a key
or a token: only the facts named in `PLACEHOLDERS` are ever filled in. A fact that is missing makes
the sentence plainer, never wrong. Left to others: escaping for a terminal or a page, because facts
may come from a hostile certificate, and names of places, purposes and types.

The catalogues are JSON files in `schemas/data`, one per language, read when first used. Languages
are BCP 47 tags (RFC 5646); Portuguese is in the spelling of Macao.

Facts come from `detail` of a check. A key that ends in `_seconds` fills the placeholder without the
suffix with a length of time ("9 d 2 h"); `from`, `until` and `at` are NumericDates (`at` fills
`{date}` and `{time}`); everything else is filled in as it is.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple

from schemas.verdict import CODES, QUESTIONS, Check, Code, Verdict, rfc3339

LANGUAGES = ("en", "zh-Hans", "zh-Hant", "pt")
PLACEHOLDERS = frozenset({
    "age", "agency", "catalogue", "claim", "date", "dimension", "edition", "from", "held", "host",
    "jurisdiction", "limit", "max", "offered", "part", "place", "purpose", "reason", "result",
    "retry_after", "rule", "size", "statement", "term", "time", "type", "until", "value",
})  # fmt: skip
"""The facts that sentences may name; `result` is filled in by the surface alone."""

_NEXT_BEST = {"zh-Hans": ("zh-Hant", "en"), "zh-Hant": ("zh-Hans", "en")}
_TRADITIONAL = {"hant", "hk", "mo", "tw"}
_MAX_FACT_CHARACTERS = 200  # longer than any host name we show; the rest is somebody's joke

_LEADS = {
    "lists": "NO_TRUST_DATA TRUST_DATA_EXPIRED TRUST_DATA_CORRUPT CLOCK_ROLLED_BACK"
    " JURISDICTION_UNKNOWN TRUST_DATA_STALE",
    "test_network": "DEV_TRUST_REFUSED",
    "not_a_certificate": "NOT_A_CREDENTIAL",
    "damaged": "MALFORMED TOO_LARGE TYPE_CONFUSION ALG_NOT_ALLOWED CRIT_UNKNOWN CLAIM_MISSING"
    " CLAIM_INVALID DISCLOSURE_INVALID DISCLOSURE_FORBIDDEN VCT_INTEGRITY",
    "print_differs": "PRINT_MISMATCH PDF_SEAL_INVALID",
    "right_unknown": "FORMAT_UNSUPPORTED VCT_UNKNOWN SURVIVORS_UNAVAILABLE GRANT_UNDER_REVIEW",
    "issuer_not_listed": "ISSUER_UNKNOWN KEY_UNKNOWN ISSUER_OUTSIDE_NAMESPACE ISSUER_AMBIGUOUS",
    "altered": "CERT_PATH_INVALID CERT_ISS_MISMATCH CERT_KEY_MISMATCH SIGNATURE_INVALID",
    "key_ended": "KEY_NOT_YET_VALID KEY_RETIRED_BEFORE_SIGNING KEY_COMPROMISED",
    "not_authorised": "NO_GRANT GRANT_SCOPE_TYPE GRANT_SUBJECT KEY_NOT_IN_GRANT"
    " STATEMENT_SIGNATURE STATEMENT_TYPE GRANT_NOT_IN_FORCE GRANT_WITHDRAWN GRANT_SUSPENDED"
    " GRANT_VOID NOT_ANCHORED DELEGATION_MISSING DELEGATION_INVALID DELEGATION_WIDENED"
    " DELEGATION_TOO_DEEP DELEGATION_NOT_IN_FORCE DELEGATION_WITHDRAWN DELEGATION_SUSPENDED"
    " DELEGATION_VOID AUTHORITY_UNKNOWN AUTHORITY_KEY_UNBOUND AUTHORITY_KEY_COMPROMISED"
    " GRANT_SCOPE_TERRITORY GRANT_SCOPE_PROFESSION VALIDITY_TOO_LONG",
    "approval": "APPROVAL_MISSING APPROVAL_INVALID",
    "not_recognised": "NOT_RECOGNISED RECOGNITION_SCOPE RECOGNITION_NOT_IN_FORCE"
    " RECOGNITION_TOO_OLD CATALOGUE_NOT_LISTED CATALOGUE_REMOVED",
    "recognition_unknown": "RECOGNITION_UNDER_REVIEW PURPOSE_UNDECLARED CATALOGUE_REVIEW"
    " CATALOGUE_EDITION_UNKNOWN",
    "not_yet": "NOT_YET_VALID ISSUED_IN_FUTURE",
    "expired": "EXPIRED",
    "status_reference": "STATUS_MISSING STATUS_INDEX_OUT_OF_RANGE",
    "revoked": "REVOKED",
    "suspended": "SUSPENDED",
    "status_unknown": "STATUS_UNAVAILABLE STATUS_STALE STATUS_SIGNER STATUS_SIGNATURE"
    " STATUS_MALFORMED STATUS_MISMATCH STATUS_VALUE_UNKNOWN",
    "holder_missing": "HOLDER_NOT_BOUND HOLDER_PROOF_MISSING",
    "holder_bad": "HOLDER_PROOF_INVALID HOLDER_AUDIENCE HOLDER_NONCE HOLDER_REPLAYED",
    "holder_stale": "HOLDER_TIME",
    "policy": "TYPE_NOT_ACCEPTED ISSUER_NOT_ACCEPTED RULE_FAILED",
    "other_person": "SUBJECT_MISMATCH",
    "ask_more": "SUBJECT_UNCERTAIN CLAIM_NOT_DISCLOSED",
    "negative_report": "REPORT_RESULT_NOT_POSITIVE",
}
_ACCEPTED = {
    Code.HOLDER_BEARER_COPY: "ok_copy",
    Code.HOLDER_OPEN_MODE: "ok_open",
    Code.EXTERNAL_PROFILE: "ok_external",
}
LEAD_OF_CODE: Mapping[str, str] = {
    code: key for key, codes in _LEADS.items() for code in codes.split()
}
"""Code → key of the lead sentence of its group, for codes that can be a headline by default."""
LEAD_KEYS = (*_LEADS, *_ACCEPTED.values(), "ok")


class Lead(NamedTuple):
    """The one sentence that follows the outcome word.

    key  a name of LEAD_KEYS, or "" where the headline has no group and speaks for itself
    """

    key: str
    sentence: str


# --- Languages ------------------------------------------------------------------------------------


def resolve_language(tag: str) -> str:
    """One of LANGUAGES for a BCP 47 tag or a POSIX locale such as `zh_HK.UTF-8`; else English."""
    parts = tag.partition(".")[0].replace("_", "-").lower().split("-")
    if parts[0] == "zh":
        return "zh-Hant" if "hans" not in parts and _TRADITIONAL & set(parts) else "zh-Hans"
    return "pt" if parts[0] == "pt" else "en"


def pick(texts: Mapping[str, str], lang: str) -> str:
    """The text of a language map that suits best: the tag itself, its language, the next best.

    Any text is better than none, so the first of the map is the last resort; "" if it is empty.
    """
    language = resolve_language(lang)
    for tag in (lang, language, *_NEXT_BEST.get(language, ("en",))):
        if tag in texts:
            return texts[tag]
    return next(iter(texts.values()), "")


@cache
def _catalogue(language: str) -> dict[str, Any]:
    from schemas.data import load_data

    return load_data(f"messages.{language}.json")


def word(lang: str, group: str, name: str) -> str:
    """A word of a catalogue's `words`; groups and names are those of the English one."""
    text: str = _catalogue(resolve_language(lang))["words"][group][name]
    return text


def phrase(lang: str, group: str, name: str, facts: Mapping[str, str]) -> str | None:
    """The same with placeholders filled in; None where a fact is missing."""
    return _fill(word(lang, group, name), facts)


# --- Codes and checks -----------------------------------------------------------------------------


def sentence(code: str, lang: str, detail: Mapping[str, Any] | None = None) -> str:
    """What the code says, with the numbers of `detail` where all that are needed are there."""
    entry = _catalogue(resolve_language(lang))["codes"].get(code)
    if entry is None:
        return word(lang, "sentences", "unknown_code").format(code=code)
    if detail and "detailed" in entry:
        filled = _fill(entry["detailed"], facts_of(detail, lang))
        if filled is not None:
            return filled
    plain: str = entry["sentence"]
    return plain


def next_step(code: str, lang: str) -> str:
    """What a person should do; "" for a code that is not known here."""
    entry = _catalogue(resolve_language(lang))["codes"].get(code)
    return entry["next"] if entry else ""


def check_message(check: Check, lang: str) -> str:
    """The sentence of one check: that of its code, else what a plain pass of it means."""
    if check.code is not None:
        return sentence(check.code, lang, detail_of(check))
    if check.result == "pass":
        text: str = _catalogue(resolve_language(lang))["checks"][check.check]["pass"]
        return text
    return word(lang, "results", check.result)


def check_label(check: str, lang: str) -> str:
    """The name of a check for people; the name itself where it is not known."""
    entry = _catalogue(resolve_language(lang))["checks"].get(check)
    return entry["label"] if entry else check


def question(name: str, lang: str, place: str | None = None, purpose: str | None = None) -> str:
    """One of the five questions; `recognised` names place and purpose where both are declared."""
    if name != "recognised":
        return word(lang, "questions", name)
    if not (place and purpose):
        return word(lang, "questions", "recognised_here")
    return word(lang, "questions", name).format(place=place, purpose=purpose)


# --- The lead sentence ----------------------------------------------------------------------------


def lead_key(outcome: str, headline: Check | None, remarks: Collection[str]) -> str:
    """The group of the lead sentence, by the outcome and its headline; "" where there is none.

    outcome   as decided, never recomputed
    headline  the first finding that has the outcome; None for an accept
    remarks   codes of findings that passed or did not apply
    """
    if outcome == "accept":
        return next((key for code, key in _ACCEPTED.items() if code in remarks), "ok")
    if headline is None or headline.code is None:
        return ""
    info = CODES.get(headline.code)
    if info and info.absence and headline.result == "unknown":
        return "lists"  # what is absent from old lists may have been published since
    return LEAD_OF_CODE.get(headline.code, "")


def lead(verdict: Verdict, lang: str, facts: Mapping[str, str] | None = None) -> Lead:
    """The lead sentence of a verdict.

    facts  words of the surface that replace codes of the verdict: `place`, `purpose`, `result`
    """
    headline = verdict.headline_check
    key = lead_key(verdict.outcome, headline, verdict.remarks)
    if not key:
        return Lead("", _own_sentence(headline, lang))
    entry = _catalogue(resolve_language(lang))["leads"][key]
    filled = _fill(entry["sentence"], {**_lead_facts(verdict, headline, lang), **(facts or {})})
    return Lead(key, entry["plain"] if filled is None else filled)


def _lead_facts(verdict: Verdict, headline: Check | None, lang: str) -> dict[str, str]:
    detail = {"place": verdict.place, "purpose": verdict.purpose}
    facts = facts_of({key: value for key, value in detail.items() if value}, lang)
    if headline is not None:
        dated = facts_of(detail_of(headline) or {}, lang)
        facts.update({"date": dated["date"]} if "date" in dated else {})
    return facts


def _own_sentence(headline: Check | None, lang: str) -> str:
    if headline is None or headline.code is None:
        return ""
    if headline.code in CODES:
        return sentence(headline.code, lang, headline.detail)
    asked = next((q for q, checks in QUESTIONS.items() if headline.check in checks), None)
    text = question(asked, lang) if asked else f"{check_label(headline.check, lang)}:"
    return word(lang, "sentences", "unknown_lead").format(question=text, code=headline.code)


# --- Facts ----------------------------------------------------------------------------------------


def detail_of(check: Check) -> Mapping[str, Any] | None:
    """The detail of a check, with the day that a check of validity states as its `as_of`."""
    if check.check != "validity" or check.as_of is None:
        return check.detail
    return {"at": check.as_of, **(check.detail or {})}


def facts_of(detail: Mapping[str, Any], lang: str) -> dict[str, str]:
    """The placeholders that a `detail` fills, as text; nested values are left out."""
    facts: dict[str, str] = {}
    for key, value in detail.items():
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            continue
        if isinstance(value, str):
            facts["date" if key == "at" else key] = _shortened(value)
        elif key.endswith("_seconds"):
            facts[key.removesuffix("_seconds")] = humanise(value, lang)
        elif key == "at":
            facts.update(date=day(value), time=minute(value))
        else:
            facts[key] = day(value) if key in {"from", "until"} else str(value)
    return facts


def humanise(seconds: int, lang: str) -> str:
    """A length of time in its two largest units, rounded down: 9 d 2 h, 6 min, 40 s."""
    left = max(seconds, 0)
    counts = (("d", left // 86_400), ("h", left // 3_600 % 24), ("min", left // 60 % 60))
    largest = next((i for i, (_, count) in enumerate(counts) if count), None)
    if largest is None:
        return word(lang, "units", "s").format(n=left)
    told = [(unit, count) for unit, count in counts[largest : largest + 2] if count]
    units = [word(lang, "units", unit).format(n=count) for unit, count in told]
    return word(lang, "units", "joint").join(units)


def as_of(time: int, age_seconds: int, limit_seconds: int | None, lang: str) -> str:
    """How old trust data or a status list is; `time` is a NumericDate."""
    facts = {"time": minute(time), "age": humanise(age_seconds, lang)}
    if limit_seconds is None:
        return word(lang, "as_of", "plain").format_map(facts)
    return word(lang, "as_of", "full").format_map({**facts, "limit": humanise(limit_seconds, lang)})


def day(seconds: int) -> str:
    """A NumericDate as a day in UTC: 2026-11-21."""
    return rfc3339(seconds)[:10]


def minute(seconds: int) -> str:
    """A NumericDate to the minute: 2026-11-21 09:10 UTC."""
    text = rfc3339(seconds)
    return f"{text[:10]} {text[11:16]} UTC"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_FACT_CHARACTERS else f"{text[:_MAX_FACT_CHARACTERS]}…"


def _fill(template: str, facts: Mapping[str, str]) -> str | None:
    """The template with its facts, or None where one is missing."""
    try:
        return template.format_map(facts)
    except KeyError:
        return None
