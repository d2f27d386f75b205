"""Names and texts that mean something to SQL, to Python's formats or to psycopg change nothing."""

import pytest

import djcli as dj
from djcli.populate.result import Key
from djcli.tables.instance import Instance


@pytest.mark.parametrize("name", ["a%b", "a%s", 'My "odd" %(p0)s Schema', "élan", "a b.c", "{x}"])
def test_a_schema_may_have_any_name(instance: Instance, name: str) -> None:
    schema = dj.Schema(name)

    @schema
    class Source(dj.Manual):
        definition = """
        # 100% {sure} "quoted" 'x' \\ back
        a : int32  # 5% of {x} 'q' "d" : # hash
        ---
        b = '50%' : varchar(10)  # %s
        e = 'x%' : enum('x%','y''s','z"q')
        """

    @schema
    class Derived(dj.Computed):
        definition = """
        -> Source
        ---
        c : varchar(20)
        """

        def make(self, key: Key) -> None:
            self.insert1({**key, "c": (Source & key).fetch1("b") + "%"})

    Source.insert([{"a": i} for i in range(3)])
    Source.insert1({"a": 9, "e": "y's"})
    Source.insert(({"a": i, "b": "%s"} for i in range(100, 3_000)), skip_duplicates=True)
    assert Derived.populate("a < 200")["success_count"] == 104
    assert Derived.progress()[0] == 2_800
    found = (Source & {"b": "50%", "e": "x%", "a": 0} & "b like '5%'").proj(x="b || '%'")
    assert found.to_dicts() == [{"a": 0, "x": "50%%"}]
    assert len(Source & {"e": "y's"}) == 1
    described = dj.FreeTable(instance.connection, Source.full_table_name).describe()
    assert described == Source.describe()
    assert "5% of {x} 'q' \"d\" : # hash" in described
    assert (Source & {"a": 1}).delete(prompt=False) == 1
    assert len(Derived()) == 103
    assert schema.list_tables() == ["source", "__derived"]
    schema.drop(prompt=False)
    assert name not in dj.list_schemas()
