"""A pipeline that one system declared and filled is fetched, inserted into and populated by the other."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
from psycopg.conninfo import conninfo_to_dict

import djcli as dj
from djcli.tables.instance import Instance

TABLES = '''
import numpy as np


@schema
class Method(dj.Lookup):
    definition = """
    method : enum('left','right')
    ---
    note = 'none' : varchar(20)
    """
    contents = [("left", "one"), ("right", "two")]


@schema
class Scan(dj.Manual):
    definition = """
    scan : int32
    ---
    frames : <blob>
    taken : date
    gain = null : float32
    rate : decimal(6,3)
    good : bool
    tiny : int8
    small : int16
    big : int64
    wide : float64
    code : char(4)
    at : datetime(3)
    meta : json
    raw : bytes
    """


@schema
class Mean(dj.Computed):
    definition = """
    -> Scan
    -> Method
    ---
    mean : float64
    shape : <blob>
    """

    class Row(dj.Part):
        definition = """
        -> master
        row : int16
        ---
        total : float64
        """

    def make(self, key):
        frames = (Scan & key).fetch1("frames")
        sign = -1 if key["method"] == "left" else 1
        self.insert1({**key, "mean": sign * frames.mean(), "shape": list(frames.shape)})
        self.Row.insert({**key, "row": i, "total": sign * row.sum()} for i, row in enumerate(frames))


def fill(first):
    Scan.insert(
        {"scan": i, "frames": np.arange(6.0).reshape(2, 3) + i, "taken": "2026-01-05", "rate": 1.5, "good": i % 2 == 0,
         "tiny": -i, "small": 300 + i, "big": 2**40 + i, "wide": i / 3, "code": "ab", "at": "2026-01-05 06:07:08.125",
         "meta": {"a": [i, None, "x"]}, "raw": bytes([i, 255])}
        for i in range(first, first + 3)
    )


PLAIN = ("scan", "taken", "gain", "rate", "good", "tiny", "small", "big", "wide", "code", "at", "meta")


def told():
    scans = [
        [*(str(row[name]).strip() for name in PLAIN), list(bytes(row["raw"]))]
        for row in Scan().to_dicts(order_by="scan")
    ]
    return [scans, *made()]


def made():
    return [
        [int(row["scan"]), row["method"], float(row["mean"]), [int(n) for n in row["shape"]]]
        for row in Mean().to_dicts(order_by=("scan", "method"))
    ] + [float(total) for total in Mean.Row().to_arrays("total", order_by=("scan", "method", "row"))]
'''

THEIRS = """
import json, sys
import datajoint as dj

given = json.load(sys.stdin)
dj.config["database.backend"] = "postgresql"
for name, value in given["database"].items():
    dj.config["database." + name] = value
dj.config["safemode"] = False
schema = dj.Schema("both")
space = {"dj": dj, "schema": schema, "__name__": "both"}
exec(compile(given["tables"], "tables", "exec"), space)
space["fill"](given["first"])
if given["populate"]:
    space["Mean"].populate()
print(json.dumps(space["told"]()))
"""


def theirs(database_url: str, *, first: int, populate: bool) -> Any:
    """Declare, fill and maybe populate in the reference system; returns what it sees then."""
    info = conninfo_to_dict(database_url)
    database = {
        "host": str(info["host"]),
        "port": int(info.get("port") or 5432),
        "user": str(info.get("user") or "root"),
        "password": "none",
        "name": str(info["dbname"]),
        "use_tls": False,
    }
    given = {"database": database, "tables": TABLES, "first": first, "populate": populate}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", THEIRS],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ours() -> dict[str, Any]:
    space: dict[str, Any] = {"dj": dj, "schema": dj.Schema("both"), "np": np, "__name__": "both"}
    exec(compile(TABLES, "tables", "exec"), space)  # noqa: S102 - one text for both systems
    return space


def test_what_they_declared_is_populated_here(instance: Instance, database_url: str) -> None:
    assert len(theirs(database_url, first=0, populate=False)[0]) == 3
    space = ours()
    assert space["Mean"].progress() == (6, 6)
    assert space["Mean"].populate()["success_count"] == 6
    here = space["told"]()
    assert here[1] == [0, "left", -2.5, [2, 3]]
    there = theirs(database_url, first=10, populate=True)
    assert there[0][:3] == here[0]
    assert there[1:7] == here[1:7]
    instance.forget()
    assert space["Mean"].progress() == (0, 12)


def test_what_was_declared_here_is_populated_there(instance: Instance, database_url: str) -> None:
    space = ours()
    space["fill"](0)
    assert space["Mean"].populate(max_calls=2)["success_count"] == 2
    there = theirs(database_url, first=5, populate=True)
    assert len(space["Mean"]()) == 12
    assert space["told"]() == there
    np.testing.assert_array_equal(
        (space["Scan"] & "scan = 6").fetch1("frames"), np.arange(6.0).reshape(2, 3) + 6
    )
    assert instance.connection.in_transaction is False
