"""Frames of pandas, polars and Arrow: right types, nulls included, and what comes back from them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace

import psycopg
import pytest
from lab import filled_lab

from djcli.errors import DataJointError
from djcli.tables import frames


@pytest.fixture(scope="module")
def lab(server_url: str, admin: psycopg.Connection) -> Iterator[SimpleNamespace]:
    """Make the tables with rows, once for this file."""
    with filled_lab(server_url, admin, "lab_frames") as made:
        yield made


def test_pandas(lab: SimpleNamespace) -> None:
    """The key is the index; whole numbers stay whole, also where some are missing."""
    pandas = pytest.importorskip("pandas")
    sessions = lab.Session.to_pandas(order_by="KEY")
    assert list(sessions.index.names) == ["subject_id", "session_idx"]
    assert str(sessions["rig"].dtype) == "Int64"
    assert sessions["rig"].tolist() == [1, pandas.NA, 2]
    trials = lab.Trial.to_pandas()
    assert trials.index.get_level_values("trial_idx").dtype == "int64"
    assert trials["correct"].dtype == "bool"
    assert isinstance(trials["reaction_time"].iloc[0], Decimal)
    subjects = lab.Subject.to_pandas(order_by="KEY")
    assert subjects["weight"].dtype == "float64"
    assert subjects["born"].iloc[0] == datetime.date(2025, 11, 1)
    notes = lab.Note.to_pandas(order_by="KEY")
    assert notes["stamp"].dtype == "datetime64[us]"
    assert notes["blob"].iloc[1] == {"a": [1, 2]}
    empty = (lab.Session & False).to_pandas()
    assert list(empty.columns) == ["rig", "session_date", "note"]
    assert list(empty.index.names) == ["subject_id", "session_idx"]


def test_pandas_restricts(lab: SimpleNamespace) -> None:
    """A frame is a list of rows, its index included; a missing value is null."""
    pytest.importorskip("pandas")
    sessions = lab.Session.to_pandas(order_by="KEY")
    assert len(lab.Session & sessions[1:]) == 2
    assert len(lab.Session & sessions[:0]) == 0
    assert len(lab.Trial & sessions[["note"]][:1]) == 4


def test_arrow(lab: SimpleNamespace) -> None:
    """Types are the attributes' own; nulls are nulls."""
    arrow = pytest.importorskip("pyarrow")
    trials = lab.Trial.to_arrow(order_by="KEY")
    assert trials.schema.field("reaction_time").type == arrow.decimal128(3, 2)
    assert trials.schema.field("correct").type == arrow.bool_()
    assert trials.schema.field("trial_idx").type == arrow.int32()
    assert trials["reaction_time"][0].as_py() == Decimal("0.20")
    sessions = lab.Session.to_arrow(order_by="KEY")
    assert sessions["rig"].to_pylist() == [1, None, 2]
    assert sessions.schema.field("session_date").type == arrow.date32()
    notes = lab.Note.proj(..., "-blob").to_arrow(order_by="KEY")
    assert notes["note_id"][0].as_py() == "00000000-0000-0000-0000-000000000001"
    assert notes.schema.field("stamp").type == arrow.timestamp("us")
    assert (lab.Trial & False).to_arrow().schema == trials.schema
    assert len(lab.Session & sessions.select(["subject_id", "session_idx"])) == 3
    assert lab.Rig.to_arrow(order_by="KEY")["meta"][2].as_py() is None


def test_polars(lab: SimpleNamespace) -> None:
    """Types are the attributes' own; nulls are nulls."""
    polars = pytest.importorskip("polars")
    trials = lab.Trial.to_polars(order_by="KEY")
    assert trials.schema["reaction_time"] == polars.Decimal(3, 2)
    assert trials.schema["trial_idx"] == polars.Int32
    assert trials["reaction_time"][0] == Decimal("0.20")
    sessions = lab.Session.to_polars(order_by="KEY")
    assert sessions["rig"].to_list() == [1, None, 2]
    assert sessions.schema["session_date"] == polars.Date
    assert (lab.Trial & False).to_polars().schema == trials.schema
    assert len(lab.Session & sessions[["subject_id", "session_idx"]][:2]) == 2
    notes = lab.Note.to_polars(order_by="KEY")
    assert notes.schema["note_id"] == polars.String
    assert notes["blob"].to_list() == [None, {"a": [1, 2]}]


def test_missing_library_is_named(lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(frames, "import_module", missing)
    for method, extra in (("to_pandas", "pandas"), ("to_polars", "polars"), ("to_arrow", "arrow")):
        with pytest.raises(DataJointError, match=rf"{method}\(\) needs .*djcli\[{extra}\]"):
            getattr(lab.Trial, method)()
