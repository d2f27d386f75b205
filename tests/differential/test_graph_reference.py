"""Relatives of tables and rows of diagrams, here and in DataJoint 2.3.5 on the same tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lab import fill, make_lab
from psycopg.conninfo import conninfo_to_dict

import djcli as dj

REFERENCE = """
import json, logging, sys
sys.path.insert(0, sys.argv[1])
import datajoint as dj
from test_graph_reference import answers

logging.disable(logging.CRITICAL)
dj.config["database.backend"] = "postgresql"
for name, value in json.loads(sys.argv[2]).items():
    dj.config["database." + name] = value
print(json.dumps(answers(dj, dj.VirtualModule("lab", "lab")), sort_keys=True))
"""

TABLES = ("Subject", "Rig", "Session", "Trial", "Pair", "Surgery", "Note")


def answers(dj: Any, lab: Any) -> Any:
    """Return what one of the two systems says."""
    told: dict[str, Any] = {}
    for name in TABLES:
        table = getattr(lab, name)()
        for relation in ("parents", "children"):
            for primary in (None, True, False):
                found = getattr(table, relation)(primary=primary, foreign_key_info=True)
                told[f"{name} {relation} {primary}"] = sorted(
                    [[t, sorted(k.items())] for t, k in found], key=str
                )
                plain = getattr(table, relation)(primary=primary, as_objects=True)
                assert sorted(t.full_table_name for t in plain) == sorted(t for t, _ in found)
        for relation in ("ancestors", "descendants", "parts"):
            told[f"{name} {relation}"] = sorted(getattr(table, relation)())
    whole, session = dj.Diagram(lab), dj.Diagram(lab.Session)
    grown = [session + 1, session - 1, session + 1 - 1, whole * session, whole - session, session + whole]
    told["grown"] = [sorted(table.full_table_name for table in diagram) for diagram in grown]
    rows = {
        "a subject's": lab.Trial & {"subject_id": "M1"},
        "third": lab.Trial & {"trial_idx": 3},
        "last": lab.Trial & dj.Top(1, "trial_idx DESC"),
        "pairs": lab.Pair(),
        "surgery": lab.Surgery & "weight > 0",
        "subject": lab.Subject & {"subject_id": "M1"},
        "rig": lab.Rig & {"rig": 1},
        "second": lab.Session & {"session_idx": 2},
    }
    for name, expression in rows.items():
        trace = dj.Diagram.trace(expression)
        told[f"trace of {name}"] = trace.counts()
        told[f"rooms of {name}"] = sorted(trace[lab.Rig].to_arrays("room")) if name != "subject" else []
        told[f"cascade of {name}"] = dj.Diagram.cascade(expression).counts()
        if name != "last":  # the reference forgets the limit here
            told[f"restricted by {name}"] = dj.Diagram(lab).restrict(expression).counts()
        pruned = dj.Diagram(lab).restrict(expression).prune()
        told[f"pruned by {name}"] = sorted(table.full_table_name for table in pruned)
    both = dj.Diagram(lab).restrict(rows["subject"]).restrict(rows["rig"])
    told["restricted twice"] = both.counts()
    return told


@pytest.mark.usefixtures("instance")
def test_graph_queries_say_the_same(database_url: str, tmp_path: Path) -> None:
    lab = make_lab()
    fill(lab)
    options = conninfo_to_dict(database_url)
    database = {
        "host": options["host"],
        "port": int(options.get("port") or 5432),
        "user": options.get("user") or os.environ.get("USER", ""),
        "password": options.get("password") or "unused",
        "name": options["dbname"],
        "use_tls": False,
    }
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    run = subprocess.run(
        [sys.executable, "-c", REFERENCE, str(Path(__file__).parent), json.dumps(database)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    theirs = json.loads(run.stdout)
    ours = json.loads(json.dumps(answers(dj, lab)))
    assert ours == theirs
