"""From when until when a credential is good.

The last day that a type names counts whole, in the issuer's zone: `exp` is the first second
after it. Types without such a day, and titles, which never end, get a technical end and are
renewed. All times are rounded to full hours, so that the copies of a batch cannot be told apart
by their times (RFC 9901 section 10.1). Whether the issuer's grant allows that long is left to
the caller.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone

from schemas.credentials.table import Term, load_table

CHINA_TIME = timezone(timedelta(hours=8))  # Mainland, Hong Kong and Macao alike


def validity_of(
    type_id: str,
    claims: Mapping[str, object],
    *,
    issued_at: datetime,
    zone: timezone = CHINA_TIME,
) -> tuple[datetime | None, datetime]:
    """`(nbf, exp)` in UTC, on full hours; `nbf` is None unless it is later than `iat`.

    claims     accepted by `validate_claims`
    issued_at  the moment of sealing, aware; `iat` is its full hour
    zone       where the named days are lived

    `exp` may lie in the past when the named last day does: such claims should not be sealed.
    Raises KeyError for an unknown type, ValueError if `issued_at` is naive.
    """
    if issued_at.tzinfo is None:
        raise ValueError("issued_at has no time zone")
    term = load_table(type_id).term
    iat = full_hour(issued_at)
    latest = iat + timedelta(days=term.max_days)
    end = _end(term, claims, iat, latest, zone)
    start = _day(claims, term.starts)
    begin = full_hour(_midnight(start, zone)) if start else iat
    return (begin if begin > iat else None), full_hour(end)


def full_hour(moment: datetime) -> datetime:
    """The last full hour of UTC not after `moment`."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _end(
    term: Term, claims: Mapping[str, object], iat: datetime, latest: datetime, zone: timezone
) -> datetime:
    last_day = _day(claims, term.until)
    if last_day:
        # the day after 9999-12-31 has no name, and is cut anyway
        return latest if last_day == date.max else min(latest, _midnight(_next(last_day), zone))
    if term.months is None:
        return latest
    counted_from = _day(claims, term.counted_from)
    if counted_from:
        return min(latest, _midnight(_add_months(counted_from, term.months), zone))
    day = _add_months(iat.date(), term.months)
    return min(latest, datetime.combine(day, iat.timetz()))


def _day(claims: Mapping[str, object], name: str | None) -> date | None:
    text = claims.get(name) if name else None
    return date.fromisoformat(text) if isinstance(text, str) else None


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _midnight(day: date, zone: timezone) -> datetime:
    """The first moment of a day; in the first year of the calendar a zone may have none."""
    if day.year == date.min.year:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last; years beyond 9999 stay there."""
    years, month = divmod(day.month - 1 + months, 12)
    year = min(day.year + years, date.max.year)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
