r"""A verdict on a terminal, and the one function that makes foreign text safe to print there.

It promises that nothing from a credential reaches the terminal as anything but visible characters
on its own line (controls, marks that turn the direction of writing, and marks without width are
shown as `\u{202e}`), that the outcome is a word before it is a colour, that only an accept is ever
green, and that no claim and no name of an issuer is shown before the seal is known to be good.
Left to others: whether there is a terminal and whether it wants colours (NO_COLOR), the language,
and printing: this module only builds text.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.messages import (
    as_of,
    check_label,
    check_message,
    day,
    detail_of,
    facts_of,
    lead,
    next_step,
    phrase,
    pick,
    word,
)
from schemas.verdict import QUESTIONS, Check, CredentialView, Verdict, answer

if TYPE_CHECKING:
    from talentseal.type_metadata import CredentialType

# Explicit ranges, so that the answer does not move with the Unicode version of an interpreter:
# controls, formats, surrogates, private use, noncharacters, and what is ignored when displayed.
_HIDDEN_CHARACTERS = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
# The second way is there so that a text cannot pretend to have been escaped.
_HIDDEN = re.compile(rf"[{_HIDDEN_CHARACTERS}]|\\(?=u\{{)")
_HIDDEN_IN_LINES = re.compile(rf"(?!\n)[{_HIDDEN_CHARACTERS}]")

_OUTCOMES = {"accept": ("ACCEPT", "32"), "refer": ("REFER", "33"), "refuse": ("REFUSE", "31")}
_INDENT = 8  # the outcome word and two spaces
_NARROWEST = 40
_WIDEST_LABEL = 28
_DOUBTFUL = frozenset({"fail", "unknown"})
_SILENT = frozenset({"HOME_JURISDICTION", "NOT_APPLICABLE"})
_LANGUAGE_PARTS = frozenset({"en", "pt", "und", "zh"})
_WORDS = re.compile(r"\s+|\S+")
_CLOSING = frozenset("，。；：？！）」、")


class Words(NamedTuple):
    """What a type calls its claims and their coded values, in one language.

    labels  path of a claim (`name`, `document.kind`) → label, in the order of the type's document
    values  path → coded value → what it means
    """

    labels: Mapping[str, str] = MappingProxyType({})
    values: Mapping[str, Mapping[str, str]] = MappingProxyType({})


NO_WORDS = Words()


class _Row(NamedTuple):
    """One line of the answer: what it is about, the word for its result, and what is said."""

    label: str
    mark: str
    text: str


def escape(text: str) -> str:
    r"""Text for one place on one line of a terminal; every hidden character becomes `\u{...}`.

    Newlines and tabs are hidden characters too. Different texts stay different. Apply it once, to
    text that holds no colours of ours.
    """
    return _HIDDEN.sub(_mark, text)


def escape_lines(text: str) -> str:
    """Whole lines of ours, in which foreign parts may have been escaped already: nothing hidden.

    The last net under a command's output; it leaves newlines, and what `escape` has written.
    """
    return _HIDDEN_IN_LINES.sub(_mark, text)


def _mark(hidden: re.Match[str]) -> str:
    return f"\\u{{{ord(hidden.group()):x}}}"


def render_verdict(
    verdict: Verdict,
    *,
    lang: str,
    colour: bool,
    width: int,
    words: Words = NO_WORDS,
    facts: Mapping[str, str] | None = None,
) -> str:
    """The whole answer, without a final newline.

    width   columns of the terminal; what is longer is wrapped under its own column
    words   what the type calls its claims and their values: see `words_of`
    facts   words that replace codes in the lead sentence: place, purpose, result
    """
    width = max(width, _NARROWEST)
    parts = [
        *_head(verdict, lang, facts, colour=colour, width=width),
        *_table(_rows(verdict, lang), width),
        *_table(_claim_rows(verdict, words, lang), width),
    ]
    return "\n".join(parts)


def render_line(verdict: Verdict, *, name: str, lang: str, colour: bool) -> str:
    """One line for one of several inputs: outcome, name of the input, lead sentence."""
    text = f"{escape(name)}  {escape(lead(verdict, lang).sentence)}"
    return f"{_outcome_word(verdict, colour=colour)}{text}".rstrip()


# --- What is said ---------------------------------------------------------------------------------


def _head(
    verdict: Verdict, lang: str, facts: Mapping[str, str] | None, *, colour: bool, width: int
) -> list[str]:
    outcome = word(lang, "outcomes", verdict.outcome)
    said = {"outcome": outcome, "lead": lead(verdict, lang, facts).sentence}
    text = (phrase(lang, "sentences", "outcome", said) or outcome).strip()
    lines = [text]
    if verdict.headline is not None:
        lines.append(f"-> {next_step(verdict.headline, lang)}")
    wrapped = [part for line in lines for part in _wrap(escape(line), width - _INDENT)]
    first, *rest = wrapped
    return [_outcome_word(verdict, colour=colour) + first, *(" " * _INDENT + r for r in rest)]


def _outcome_word(verdict: Verdict, *, colour: bool) -> str:
    name, ansi = _OUTCOMES[verdict.outcome]
    padding = " " * (_INDENT - len(name))
    return f"\x1b[1;{ansi}m{name}\x1b[0m{padding}" if colour else f"{name}{padding}"


def _rows(verdict: Verdict, lang: str) -> list[_Row]:
    rows = [row for name in QUESTIONS for row in _question_rows(name, verdict, lang)]
    for check in verdict.checks:
        if check.check in {"trust_data", "policy"} and check.result in _DOUBTFUL:
            mark = word(lang, "marks", check.result)
            rows.append(_Row(check_label(check.check, lang), mark, _said(check, verdict, lang)))
    rows += _as_of_rows(verdict, lang)
    rows += dict.fromkeys(_remark_rows(verdict, lang))  # said once, however often it was found
    if _is_authentic(verdict):
        label = word(lang, "short", "caution")
        rows += [_Row(label, "", pick(caution.message, lang)) for caution in verdict.cautions]
    return rows


def _question_rows(name: str, verdict: Verdict, lang: str) -> list[_Row]:
    found = [check for check in verdict.checks if check.check in QUESTIONS[name]]
    result = verdict.questions.get(name) or answer(name, verdict.checks)
    texts = [_said(check, verdict, lang) for check in found if check.result in _DOUBTFUL]
    aside = [
        _said(check, verdict, lang)
        for check in found
        if check.result == "not_applicable" and check.code and check.code not in _SILENT
    ]
    if not texts and result == "pass" and found:
        texts = [_passed(name, found, verdict, lang)]
    texts = list(dict.fromkeys([*texts, *aside])) or [word(lang, "results", result)]
    label, mark = word(lang, "short", name), word(lang, "marks", result)
    return [_Row(label, mark, texts[0]), *(_Row("", "", text) for text in texts[1:])]


def _said(check: Check, verdict: Verdict, lang: str) -> str:
    """Code, sentence and statement of a finding; the step of the headline stands above already."""
    text = check_message(check, lang)
    statement = (check.detail or {}).get("statement")
    if isinstance(statement, str) and statement not in text:
        text += f" ({phrase(lang, 'facts', 'statement', {'statement': statement})})"
    if check.code is None:
        return text
    if check.result in _DOUBTFUL and check != verdict.headline_check:
        text += f"  ->  {next_step(check.code, lang)}"
    return f"{check.code}  {text}"


def _passed(name: str, found: list[Check], verdict: Verdict, lang: str) -> str:
    """The fact that a plain yes rests on, or the sentence of its first check."""
    told = _fact(name, found, verdict, lang)
    if told is not None:
        return told
    first = next((check for check in found if check.result == "pass"), found[0])
    return _said(first, verdict, lang)


def _fact(name: str, found: list[Check], verdict: Verdict, lang: str) -> str | None:
    credential = verdict.credential
    if credential is None:
        return None
    if name == "authentic":
        return phrase(lang, "facts", "sealed", _sealed(credential, lang))
    if name == "in_force" and credential.expires_at is not None:
        return phrase(lang, "facts", "until", {"until": day(credential.expires_at)})
    facts = {"jurisdiction": credential.jurisdiction or "", "purpose": verdict.purpose or ""}
    for check in found:
        facts.update(facts_of(detail_of(check) or {}, lang))
    if name == "authorised":
        return phrase(lang, "facts", "grant_until", facts)
    if name == "recognised" and facts["purpose"]:
        return phrase(lang, "facts", "recognition", facts)
    return None


def _sealed(credential: CredentialView, lang: str) -> dict[str, str]:
    return {
        "issuer": pick(credential.issuer_names, lang) or credential.issuer,
        "jurisdiction": credential.jurisdiction or "-",
        "date": day(credential.issued_at),
    }


def _as_of_rows(verdict: Verdict, lang: str) -> Iterator[_Row]:
    limits = {}
    for check in verdict.checks:
        detail = check.detail or {}
        if check.check == "trust_data" and isinstance(detail.get("limit_seconds"), int):
            limits[detail.get("jurisdiction")] = detail["limit_seconds"]
    for jurisdiction, (_, time, age) in verdict.bundle.items():
        yield _Row(jurisdiction, "", as_of(time, age, limits.get(jurisdiction), lang))


def _remark_rows(verdict: Verdict, lang: str) -> Iterator[_Row]:
    """Remarks on passes; what does not apply and the holder's remark stand on their own lines."""
    for check in verdict.checks:
        if check.result == "pass" and check.code and check.check != "holder":
            yield _Row(word(lang, "short", "note"), "", _said(check, verdict, lang))


def _is_authentic(verdict: Verdict) -> bool:
    return verdict.questions.get("authentic") == "pass"


# --- Claims ---------------------------------------------------------------------------------------


def words_of(kind: "CredentialType | None", lang: str) -> Words:
    """The words of a type in the reader's language; none where the type is not known."""
    if kind is None:
        return NO_WORDS
    return Words(
        {".".join(map(str, p)): pick(labels, lang) for p, labels in kind.claims if None not in p},
        {
            path: {value: pick(texts, lang) for value, texts in meanings.items()}
            for path, meanings in kind.values.items()
        },
    )


def _claim_rows(verdict: Verdict, words: Words, lang: str) -> list[_Row]:
    if verdict.credential is None or not _is_authentic(verdict):
        return []
    claims, labels = verdict.credential.claims, words.labels
    tops = [path.partition(".")[0] for path in labels]
    names = dict.fromkeys([*(name for name in tops if name in claims), *claims])
    return [
        _Row(labels.get(name, name), "", claim_text(claims[name], name, words, lang))
        for name in names
    ]


def claim_text(value: Any, path: str, words: Words, lang: str) -> str:
    """A claim's value on one line; texts in several languages stand side by side, as signed.

    A coded value stands behind what it means in the type's words: `Engineering (05)`.
    """
    if isinstance(value, bool):
        return word(lang, "values", "true" if value else "false")
    if isinstance(value, Mapping):
        if all(str(key).partition("-")[0] in _LANGUAGE_PARTS for key in value):
            return word(lang, "values", "also").join(map(str, value.values()))
        return word(lang, "values", "list").join(
            f"{words.labels.get(inner, key)}: {claim_text(item, inner, words, lang)}"
            for key, item in value.items()
            for inner in (f"{path}.{key}",)
        )
    if isinstance(value, list | tuple):
        items = (claim_text(item, path, words, lang) for item in value)
        return word(lang, "values", "list").join(items)
    term = words.values.get(path, {}).get(value) if isinstance(value, str) else None
    facts = {"term": term or "", "value": str(value)}
    return (term and phrase(lang, "values", "coded", facts)) or str(value)


# --- Lines ----------------------------------------------------------------------------------------


def _table(rows: Iterable[_Row], width: int) -> list[str]:
    """Rows in three columns under the lead sentence; escaping happens here, once, for all."""
    safe = [_Row(*map(escape, row)) for row in rows]
    if not safe:
        return []
    label_width = min(max(_columns(row.label) for row in safe), _WIDEST_LABEL)
    mark_width = max(_columns(row.mark) for row in safe)
    lines = []
    for row in safe:
        mark = _padded(row.mark, mark_width) + "  " if mark_width else ""
        head = f"{' ' * _INDENT}{_padded(row.label, label_width)}  {mark}"
        room = max(width - _columns(head), _NARROWEST // 2)
        first, *rest = _wrap(row.text, room) or [""]
        lines.append(f"{head}{first}".rstrip())
        lines += [" " * _columns(head) + line for line in rest]
    return lines


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - _columns(text))


def _columns(text: str) -> int:
    """How many columns a terminal gives to a text: two for wide characters, none for accents."""
    return len(text) if text.isascii() else sum(map(_character_columns, text))


def _character_columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _wrap(text: str, room: int) -> list[str]:
    """Lines of at most `room` columns, broken at spaces and between wide characters."""
    if _columns(text) <= room:
        return [text.rstrip()] if text.strip() else []
    lines, line = [], ""
    for piece in _pieces(text):
        for part in _cut(piece, room):
            if _columns(line) + _columns(part.rstrip()) > room:
                lines.append(line.rstrip())
                line = part.lstrip()
            else:
                line += part
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str) -> Iterator[str]:
    """What may stand at the end of a line: words, gaps, wide characters with what closes them."""
    for word_or_gap in _WORDS.findall(text):
        if word_or_gap.isascii():
            yield word_or_gap
            continue
        piece, last = "", 1
        for character in word_or_gap:
            columns = _character_columns(character)
            if piece and columns and 2 in (last, columns) and character not in _CLOSING:
                yield piece
                piece = ""
            piece, last = piece + character, columns or last
        yield piece


def _cut(piece: str, room: int) -> Iterator[str]:
    """A piece that is longer than a whole line, in parts that fit."""
    part, used = "", 0
    for character in piece:
        columns = _character_columns(character)
        if used + columns > room:
            yield part
            part, used = "", 0
        part, used = part + character, used + columns
    yield part
