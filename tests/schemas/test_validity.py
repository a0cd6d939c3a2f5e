from datetime import UTC, datetime, timedelta, timezone

import pytest
from claim_samples import SAMPLES, claims_of
from hypothesis import given
from hypothesis import strategies as st

from schemas.credentials import load_table, validity_of

NOW = datetime(2026, 11, 21, 9, 41, 7, 5, tzinfo=UTC)


def term(sample: str, issued_at: datetime = NOW) -> tuple[str | None, str]:
    begin, end = validity_of(SAMPLES[sample]["vct"], claims_of(sample), issued_at=issued_at)
    return begin.isoformat() if begin else None, end.isoformat()


@pytest.mark.parametrize(
    ("sample", "issued_at", "begin", "end"),
    [
        # a title has no end: five years, cut at 1826 days from the full hour of sealing
        ("title-01", "2026-11-21T09:41:07Z", None, "2031-11-21T09:00:00+00:00"),
        # the last day counts whole, in China time
        ("qual-01", "2026-11-21T09:41:07Z", None, "2026-12-31T16:00:00+00:00"),
        # twelve months from the day of completion, whenever it is sealed
        ("report-01", "2026-02-10T03:59:59Z", None, "2027-02-09T16:00:00+00:00"),
        ("report-01", "2026-06-30T23:00:00Z", None, "2027-02-09T16:00:00+00:00"),
        # sealed before it starts
        (
            "permit-01",
            "2026-03-31T01:30:00Z",
            "2026-03-31T16:00:00+00:00",
            "2031-03-31T01:00:00+00:00",
        ),
        ("permit-01", "2026-03-31T16:30:00Z", None, "2031-03-31T16:00:00+00:00"),
        (
            "permit-03",
            "2031-02-17T02:00:00Z",
            "2031-03-31T16:00:00+00:00",
            "2036-02-17T02:00:00+00:00",
        ),
        ("talent-01", "2026-05-05T08:00:00Z", None, "2031-05-04T16:00:00+00:00"),
        # its day is over: the caller will not seal it
        ("qual-04", "2026-11-21T09:41:07Z", None, "2024-12-31T16:00:00+00:00"),
    ],
)
def test_a_credential_is_good_from_its_first_to_its_last_day(
    sample: str, issued_at: str, begin: str | None, end: str
) -> None:
    assert term(sample, datetime.fromisoformat(issued_at)) == (begin, end)


@pytest.mark.parametrize(
    ("sample", "issued_at", "end"),
    [
        ("qual-01", "2026-11-21T09:41:07Z", "2027-11-21T09:00:00+00:00"),
        ("qual-01", "2024-02-29T09:00:00Z", "2025-02-28T09:00:00+00:00"),
        ("talent-01", "2026-11-21T09:41:07Z", "2029-11-21T09:00:00+00:00"),
    ],
)
def test_without_a_named_last_day_a_type_has_its_own_term(
    sample: str, issued_at: str, end: str
) -> None:
    claims = claims_of(sample, valid_until=None)
    moment = datetime.fromisoformat(issued_at)
    result = validity_of(SAMPLES[sample]["vct"], claims, issued_at=moment)
    assert result == (None, datetime.fromisoformat(end))


def test_the_last_day_ends_where_the_issuer_lives() -> None:
    for hours, end in ((0, "2027-01-01T00:00:00+00:00"), (5.5, "2026-12-31T18:00:00+00:00")):
        zone = timezone(timedelta(hours=hours))
        claims = claims_of("qual-01")
        _, exp = validity_of("professional-qualification/1", claims, issued_at=NOW, zone=zone)
        assert exp.isoformat() == end


@pytest.mark.parametrize("day", ["0001-01-01", "0001-12-31", "9999-12-31", "9999-12-30"])
def test_the_first_and_last_days_of_the_calendar_are_days_too(day: str) -> None:
    for sample in ("permit-01", "report-01", "talent-01"):
        claims = claims_of(sample, valid_from=day, valid_until=day, completed_on=day)
        _, exp = validity_of(SAMPLES[sample]["vct"], claims, issued_at=NOW)
        assert exp <= NOW + timedelta(days=1826)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        validity_of("professional-title/1", {}, issued_at=NOW.replace(tzinfo=None))


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_all_times_are_full_hours_and_never_beyond_the_cap(sample: str, moment: datetime) -> None:
    type_id = SAMPLES[sample]["vct"]
    begin, end = validity_of(type_id, claims_of(sample), issued_at=moment)
    for time in filter(None, (begin, end)):
        assert (time.minute, time.second, time.microsecond) == (0, 0, 0)
        assert time.utcoffset() == timedelta()
    assert end <= moment + timedelta(days=load_table(type_id).term.max_days)
    assert begin is None or begin > moment - timedelta(hours=1)
