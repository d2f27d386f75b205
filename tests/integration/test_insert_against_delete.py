"""Two processes that insert and delete against each other: no orphan, and no deadlock that reaches the user."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from djcli.tables.instance import Instance

TABLES = """
import djcli as dj
schema = dj.Schema("fight")

@schema
class Session(dj.Manual):
    definition = "session : int32"
    class Trial(dj.Part):
        definition = "-> master\\ntrial : int32"

@schema
class Summary(dj.Manual):
    definition = "-> Session\\n---\\n-> [nullable] Session.proj(best='session')"
"""

FIGHTER = (
    TABLES
    + """
import json, random, sys, time
from djcli.settings import config
config["database.url"], seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
dice, done, wrong = random.Random(seed), {}, []
for table in (Session, Session.Trial, Summary):
    len(table())
end = time.monotonic() + seconds
while time.monotonic() < end or 0 < seconds and sum(done.values()) <= 20:
    some = [{"session": dice.randrange(12)} for _ in range(3)]
    what = dice.choice(["sessions", "trials", "summaries", "delete", "delete", "replace"])
    try:
        if what == "sessions":
            Session.insert(some, skip_duplicates=True)
        elif what == "trials":
            Session.Trial.insert([{**row, "trial": dice.randrange(5)} for row in some], skip_duplicates=True)
        elif what == "summaries":
            Summary.insert([{**row, "best": dice.randrange(12)} for row in some], replace=True)
        elif what == "replace":
            with dj.conn().transaction:
                Session.insert(some, skip_duplicates=True)
                Summary.insert([{**some[0], "best": some[1]["session"]}], replace=True)
        else:
            (Session & some[:2]).delete(prompt=False)
        done[what] = done.get(what, 0) + 1
    except dj.errors.IntegrityError as error:
        if "there is no Session with" not in str(error) and "Session" not in str(error):
            wrong.append(str(error))
    except dj.DataJointError as error:
        if what != "replace":  # in a transaction of the user's own nothing is repeated
            wrong.append(f"{what}: {type(error).__name__}: {error}")
print(json.dumps([done, wrong[:5]]))
"""
)


@pytest.mark.soak
def test_two_processes_leave_no_orphan_and_meet_no_deadlock(
    instance: Instance, database_url: str, soak: Callable[[int, int], int]
) -> None:
    words = [sys.executable, "-c", FIGHTER, database_url]
    subprocess.run([*words, "0", "0"], check=True, capture_output=True)  # declares the tables
    words.append(str(soak(2, 60)))
    fighters = [
        subprocess.Popen([*words, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in range(2)
    ]
    for fighter in fighters:
        out, err = fighter.communicate(timeout=120)
        assert fighter.returncode == 0, err
        done, wrong = json.loads(out)
        assert wrong == []
        assert sum(done.values()) > 20
    orphans = instance.connection.query(
        "SELECT session FROM fight.session__trial UNION ALL SELECT session FROM fight.summary "
        "UNION ALL SELECT best FROM fight.summary WHERE best IS NOT NULL EXCEPT SELECT session FROM fight.session"
    )
    assert orphans == []
