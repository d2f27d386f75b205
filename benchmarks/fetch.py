"""How fast fetching is, as ratios to DataJoint 2.3.5 in the same run on the same embedded server.

``python benchmarks/fetch.py [rows [rounds]]`` fetches the trials of a pipeline in every form. It prints the
median of the ratios of several rounds, each of which runs both systems one after the other; the ratio of our
time to that of psycopg alone fetching into the same Python form; how long an expression takes to build and
compile; and how much memory an iteration over ten times the rows takes.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

from systems import OURS, THEIRS, Told, run, server

TABLES = """
@schema
class Session(dj.Manual):
    definition = '''
    subject_id : varchar(16)
    session_idx : int32
    ---
    session_date : date
    '''

    class Trial(dj.Part):
        definition = '''
        -> master
        trial_idx : int32
        ---
        stimulus : varchar(50)
        response : varchar(50)
        correct : bool
        reaction_time : decimal(3,2) # seconds
        '''
"""

FILL = """
import psycopg

dj.Schema(SCHEMA).drop()
schema = dj.Schema(SCHEMA)
exec(told["tables"])
len(Session()), len(Session.Trial())
with psycopg.connect(told["url"], autocommit=True) as connection:
    schema_name = f'"{SCHEMA}".'
    name = schema_name + Session.Trial.full_table_name.rpartition(".")[2]
    connection.execute(
        f"INSERT INTO {schema_name}session SELECT DISTINCT 'M' || lpad((i %% 20)::text, 3, '0'), i, "
        "date '2026-01-06' FROM generate_series(0, %s - 1) i", (told["rows"] // 100,),
    )
    connection.execute(
        f"INSERT INTO {name} SELECT subject_id, session_idx, t, (array['left', 'right'])[1 + t % 2], "
        "(array['left', 'right'])[1 + t % 3 / 2], t % 3 > 0, (20 + (session_idx * 7 + t * 13) % 60) / 100.0 "
        f"FROM {schema_name}session, generate_series(1, 100) t"
    )
    connection.execute("VACUUM ANALYZE")
print("null")
"""

FETCH = """
import gc, time

schema = dj.Schema(SCHEMA)
exec(told["tables"])
trials = Session.Trial()
FORMS = {
    "to_dicts": lambda: trials.to_dicts(),
    "to_arrays": lambda: trials.to_arrays("correct", "reaction_time"),
    "to_pandas": lambda: trials.to_pandas(),
    "to_arrow": lambda: trials.to_arrow(),
    "to_polars": lambda: trials.to_polars(),
    "keys": lambda: trials.keys(),
}

def timed(fetch):
    fetch()
    gc.collect()
    started = time.perf_counter()
    fetch()
    return time.perf_counter() - started

len(trials)
import numpy, pandas, polars, pyarrow
results = {name: timed(fetch) for name, fetch in FORMS.items()}
"""

BARE = """
import psycopg
from psycopg.rows import dict_row

bare = dj.conn().raw
name = trials.full_table_name
names = trials.heading.names
listed = ", ".join(names)

def dicts(columns):
    with bare.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"SELECT {columns} FROM {name}").fetchall()

def rows(columns):
    with bare.cursor() as cursor:
        return cursor.execute(f"SELECT {columns} FROM {name}").fetchall()

def arrays():
    correct, times = zip(*rows("correct, reaction_time"))
    return numpy.array(correct), numpy.array(times)

BARE = {
    "to_dicts": lambda: dicts(listed),
    "to_arrays": arrays,
    "to_pandas": lambda: pandas.DataFrame(rows(listed), columns=names).set_index(list(trials.primary_key)),
    "to_arrow": lambda: pyarrow.table(dict(zip(names, zip(*rows(listed))))),
    "to_polars": lambda: polars.DataFrame(rows(listed), schema=list(names), orient="row"),
    "keys": lambda: dicts(", ".join(trials.primary_key)),
}
results |= {f"bare {name}": timed(fetch) for name, fetch in BARE.items()}
"""

PRINT = "print(json.dumps(results))"

BUILD = """
import time
schema = dj.Schema(SCHEMA)
exec(told["tables"])
keys = [{"subject_id": f"M{i % 20:03}", "session_idx": i} for i in range(10_000)]
(Session.Trial & keys[0]).proj("reaction_time").make_sql()
started = time.process_time()
for key in keys:
    (Session.Trial & key).proj("reaction_time").make_sql()
print((time.process_time() - started) / len(keys))
"""

ITERATE = """
import resource
schema = dj.Schema(SCHEMA)
exec(told["tables"])
trials = Session.Trial()
count = sum(1 for row in trials)
assert count == told["rows"], count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def show(pairs: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    """Print a line for each form."""
    sys.stdout.write(f"{'form':<12}{'ratio':>8}{'ours, ms':>12}{'theirs, ms':>12}{'to psycopg':>12}\n")
    for form in pairs[0][1]:
        ratio = statistics.median(theirs[form] / ours[form] for ours, theirs in pairs)
        bare = statistics.median(ours[form] / ours[f"bare {form}"] for ours, _ in pairs)
        ours = statistics.median(pair[0][form] for pair in pairs)
        theirs = statistics.median(pair[1][form] for pair in pairs)
        sys.stdout.write(
            f"{form:<12}{ratio:>7.1f}x{ours * 1000:>12.0f}{theirs * 1000:>12.0f}{bare:>11.2f}x\n"
        )


def main(rows: int = 300_000, rounds: int = 5) -> None:
    """Print the measures."""
    with server() as found:
        told: Told = {**found, "tables": TABLES, "rows": rows}
        for system in (OURS, THEIRS):
            run(system, FILL, told)
        pairs: list[tuple[Any, Any]] = [
            (run(OURS, FETCH + BARE + PRINT, told), run(THEIRS, FETCH + PRINT, told)) for _ in range(rounds)
        ]
        sys.stdout.write(f"{rows:,} rows, medians of {rounds} rounds\n")
        show(pairs)
        seconds = statistics.median(run(OURS, BUILD, told) for _ in range(rounds))
        sys.stdout.write(f"building and compiling a restricted projection: {seconds * 1e6:.0f} us\n")
        told["rows"] = 10 * rows
        run(OURS, FILL, told)
        sys.stdout.write(f"iterating {10 * rows:,} rows: {run(OURS, ITERATE, told)} MB at most\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
