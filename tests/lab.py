"""A small pipeline for the tests of the algebra; importing it asks no database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import djcli as dj
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance

DEFINITIONS = {
    "Subject": """
        subject_id : varchar(16)
        ---
        species : varchar(50)
        weight = null : float32
        born = null : date
    """,
    "Rig": "rig : int32\n---\nroom : varchar(8)\nmeta = null : json",
    "Session": """
        -> Subject
        session_idx : int32
        ---
        -> [nullable] Rig
        session_date : date
        note = '' : varchar(200)
    """,
    "Trial": """
        -> Session
        trial_idx : int32
        ---
        stimulus : varchar(50)
        correct : bool
        reaction_time : decimal(3,2)  # seconds
    """,
    "Pair": """
        -> Session.proj(first_idx='session_idx')
        -> Session.proj(second_idx='session_idx')
        ---
        distance : float64
    """,
    "Surgery": """
        -> Subject
        ---
        -> Rig.proj(surgery_rig='rig')
        weight : float32
        outcome : enum('good', 'bad')
    """,
    "Note": """
        note_id : uuid
        ---
        note : varchar(200)
        stamp = null : datetime
        code = null : char(3)
        raw = null : bytes
        blob = null : <blob>
    """,
}


def make_lab(name: str = "lab", schema: Any = None) -> SimpleNamespace:
    """Return new classes of the pipeline's tables."""
    made = dj.Schema(name) if schema is None else schema
    classes: dict[str, Any] = {}
    for label, definition in DEFINITIONS.items():
        cls = type(label, (dj.Manual,), {"definition": definition, "__module__": __name__})
        classes[label] = made(cls, context=classes)
    return SimpleNamespace(schema=made, **classes)


ROWS: dict[str, list[dict[str, Any]]] = {
    "Subject": [
        {"subject_id": "M1", "species": "Mus", "weight": 21.5, "born": "2025-11-01"},
        {"subject_id": "M2", "species": "Mus", "weight": None, "born": None},
        {"subject_id": "R1", "species": "Rattus", "weight": 300, "born": "2025-10-01"},
    ],
    "Rig": [
        {"rig": 1, "room": "A", "meta": {"probe": {"depth": 3, "name": "it's"}, "list": [1, 2.5, "x"]}},
        {"rig": 2, "room": "B", "meta": {"probe": {"depth": 12.5, "name": "B"}, "flag": True, "gone": None}},
        {"rig": 3, "room": "C", "meta": None},
    ],
    "Session": [
        {"subject_id": "M1", "session_idx": 1, "rig": 1, "session_date": "2026-01-06", "note": "100% sure"},
        {"subject_id": "M1", "session_idx": 2, "rig": None, "session_date": "2026-01-07", "note": "it's"},
        {"subject_id": "M2", "session_idx": 1, "rig": 2, "session_date": "2026-01-06", "note": "a\\b"},
    ],
    "Trial": [
        {
            "subject_id": subject,
            "session_idx": session,
            "trial_idx": trial,
            "stimulus": ("left", "right")[trial % 2],
            "correct": trial % 3 == 0,
            "reaction_time": f"0.{trial + session}0",
        }
        for subject, session, count in (("M1", 1, 4), ("M1", 2, 2), ("M2", 1, 3))
        for trial in range(1, count + 1)
    ],
    "Pair": [{"subject_id": "M1", "first_idx": 1, "second_idx": 2, "distance": 0.5}],
    "Surgery": [{"subject_id": "M1", "surgery_rig": 3, "weight": 22.5, "outcome": "good"}],
    "Note": [
        {
            "note_id": UUID(int=1),
            "note": "one",
            "stamp": "2026-01-06 10:00:00.25",
            "code": "ab",
            "raw": b"\\0x",
        },
        {"note_id": UUID(int=2), "note": "two", "blob": {"a": [1, 2]}},
    ],
}


def fill(lab: SimpleNamespace) -> None:
    """Insert the rows."""
    for label, rows in ROWS.items():
        getattr(lab, label).insert(rows)


@contextmanager
def filled_lab(server_url: str, admin: psycopg.Connection, name: str) -> Iterator[SimpleNamespace]:
    """Make a database with the pipeline and its rows, and use it as the default one."""
    admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    options = conninfo_to_dict(server_url) | {"dbname": name}
    instance = Instance(DatabaseTarget(make_conninfo(**options), "the test"))
    use_instance(instance)
    lab = make_lab()
    fill(lab)
    try:
        yield lab
    finally:
        instance.connection.close()
        use_instance(None)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
