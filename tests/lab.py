"""A small pipeline for the tests of the algebra; importing it asks no database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import djcli as dj

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
    "Note": "note_id : uuid\n---\nnote : varchar(200)\nstamp = null : datetime\ncode = null : char(3)\nraw = null : bytes\nblob = null : <blob>",
}


def make_lab(name: str = "lab", schema: Any = None) -> SimpleNamespace:
    """Return new classes of the pipeline's tables."""
    made = dj.Schema(name) if schema is None else schema
    classes: dict[str, Any] = {}
    for label, definition in DEFINITIONS.items():
        cls = type(label, (dj.Manual,), {"definition": definition, "__module__": __name__})
        classes[label] = made(cls, context=classes)
    return SimpleNamespace(schema=made, **classes)
