"""Encoders of dates and datetimes. A datetime is stored without a zone, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from djcli.codecs.numeric import Encoder
from djcli.codecs.plain import UnfitValueError, misfit, shown, unwrap

_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]\s*(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?"
    r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2}(?::?\d{2})?)?)?)?",
    re.IGNORECASE | re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?:?(\d{2})?")
_EPOCH = datetime(2000, 1, 1)  # PostgreSQL rounds away from this moment
_MICROSECOND = timedelta(microseconds=1)
_WHAT = "a datetime (2024-01-31 12:30:00)"


def datetime_encoder(digits: int) -> Encoder:
    """Return the encoder of ``timestamp(n) without time zone``.

    Parameters
    ----------
    digits
        Digits kept after the seconds, 0 to 6; more are rounded as PostgreSQL rounds.
    """
    scale = 10 ** (6 - digits)

    def encode(value: object) -> datetime:
        moment = value if type(value) is datetime else _moment(value, _WHAT)
        try:
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
            elif moment.fold:
                moment = moment.replace(fold=0)
            return moment if moment.microsecond % scale == 0 else _rounded(moment, scale)
        except OverflowError:
            raise UnfitValueError(f"{shown(value)} is beyond the years 1 to 9999") from None

    return encode


def encode_zoned(value: object) -> datetime:
    """Encode for ``timestamp with time zone``; a datetime without a zone counts as UTC.

    Raises
    ------
    ValueError
        If the value is no datetime.
    """
    moment = value if type(value) is datetime else _moment(value, _WHAT)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def encode_date(value: object) -> date:
    """Encode for ``date``; a datetime counts only at midnight, so that no time of day is lost unseen.

    Raises
    ------
    ValueError
        If the value is no date or has a time of day.
    """
    if type(value) is date:
        return value
    moment = _moment(value, "a date (2024-01-31)")
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise UnfitValueError(f"{shown(value)} has a time of day, a date has none: give its date()")
    return moment.date()


def _rounded(moment: datetime, scale: int) -> datetime:
    """Round to multiples of `scale` microseconds, halves away from the year 2000."""
    ticks = (moment - _EPOCH) // _MICROSECOND
    kept = (abs(ticks) + scale // 2) // scale * scale
    return _EPOCH + timedelta(microseconds=kept if ticks >= 0 else -kept)


def _moment(value: object, what: str) -> datetime:
    """Return a datetime, naive unless the value has a zone."""
    value = unwrap(value)
    if isinstance(value, date):
        if value != value:  # pandas.NaT, a date that equals nothing
            raise ValueError("NaT is not a moment in time: use None for a missing value")
        if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)  # stored without a zone
        if type(value).__module__.partition(".")[0] == "pandas":  # it has nanoseconds
            return _parsed(value.isoformat(), value, what)
        return value
    if isinstance(value, str):
        return _parsed(value.strip(), value, what)
    if type(value).__name__ == "datetime64":
        text = str(value)
        if text == "NaT":
            raise ValueError("NaT is not a moment in time: use None for a missing value")
        if len(text) in (4, 7):  # units of years and months
            text += "-01-01"[len(text) - 4 :]
        return _parsed(text, value, what)
    raise ValueError(misfit(value, what))


def _parsed(text: str, value: object, what: str) -> datetime:
    match = _MOMENT.fullmatch(text)
    try:
        if match is None:
            return datetime.fromisoformat(text)
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        moment = datetime(  # the zone follows
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
        if fraction:
            moment += timedelta(microseconds=round(float(f"0.{fraction}") * 1e6))
        return moment.replace(tzinfo=_zone(zone)) if zone else moment
    except OverflowError:
        raise UnfitValueError(f"{shown(value)} is beyond the years 1 to 9999") from None
    except ValueError:
        raise ValueError(misfit(value, what)) from None


def _zone(text: str) -> timezone:
    match: Any = _OFFSET.fullmatch(text)
    if match is None:
        return UTC
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-offset if match[1] == "-" else offset)
