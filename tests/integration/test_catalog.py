"""The catalog: one statement for everything, whoever made the tables."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import pytest
from declaring import connected, declare, parse

from djcli.catalog.introspect import count_rows, list_schemas, load
from djcli.catalog.snapshot import Catalog
from djcli.database.connection import Connection
from djcli.definition.attribute import Default
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.migration.changes import IndexAdded
from djcli.migration.compare import compare
from djcli.names import Tier
from djcli.sql.ddl import EnumId

LAB = {
    "subject": "# animals\nsubject_id : varchar(16)  # its id\nstrain : enum('b', 'a')\n---\nborn : date",
    "session": "-> Subject\nsession : int32\n---\nnote = '' : varchar(200)  # free text",
    "session__trial": "-> master\ntrial : int16\n---\nrt : float32  # seconds",
    "#method": "method : varchar(8)\n---\nparameters = null : json",
    "#setup": "# the one setup\n---\nrig = 'a' : char(4)",
    "__pair": """
        -> Session.proj(one='session')
        -> Session.proj(two='session')
        ---
        -> [nullable] Method
        -> [unique] Session.proj(third='session')
        value : <blob>
        index(two)
    """,
}


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Connect to an empty database."""
    with connected(database_url) as opened:
        yield opened


def of(catalog: Catalog, name: str, schema: str = "lab") -> TableModel:
    """Return a table of the catalog."""
    return catalog.tables[TableId(schema, name)]


def test_models_equal_those_of_the_definitions(connection: Connection) -> None:
    """Every table comes back as it was declared, in the order of creation."""
    models = parse("lab", LAB)
    declare(connection, models.values())
    catalog = load(connection, ["lab"])
    assert compare(models, catalog) == ()
    assert list(catalog.pipeline_tables) == list(models)
    for table, model in models.items():
        assert catalog.tables[table] == model
    assert of(catalog, "__pair").indexes == (Index(("two",)),)
    assert [hidden.name for hidden in of(catalog, "#setup").hidden] == ["_singleton"]
    assert of(catalog, "#setup").is_singleton


def test_lineage_goes_through_renamings(connection: Connection) -> None:
    """Both foreign keys to one parent are kept; what they rename keeps its origin."""
    declare(connection, parse("lab", LAB).values())
    pair = of(load(connection, ["lab"]), "__pair")
    assert [key.parent.name for key in pair.foreign_keys] == ["session", "session", "#method", "session"]
    assert pair["one"].lineage == pair["two"].lineage == pair["third"].lineage == "lab.session.session"
    assert pair["strain"].lineage == "lab.subject.strain"
    assert pair["value"].lineage is None
    assert pair["subject_id"].comment == "its id"


def test_everything_takes_one_statement(connection: Connection) -> None:
    """However many tables and schemas there are, and for counting rows too."""
    for schema in ("lab", "other", "third"):
        declare(connection, parse(schema, LAB).values())
    seen: list[str] = []
    connection.observers.append(seen.append)
    catalog = load(connection, ["lab", "other", "third", "missing"])
    assert len(seen) == 1
    assert catalog.schemas == {"lab", "other", "third"}
    assert len(catalog.pipeline_tables) == 18
    assert set(count_rows(connection, catalog.tables).values()) == {0, 17}  # 17 rows of lineage a schema
    assert len(seen) == 2
    assert count_rows(connection, []) == {}
    assert len(seen) == 2


def test_500_tables_load_in_half_a_second(connection: Connection) -> None:
    """The least of five runs counts, for other programs run too."""
    texts = {"t0": "id0 : int32\n---\nname : varchar(30)"}
    for number in range(1, 500):
        texts[f"t{number}"] = f"""
            # table {number}
            -> T{number // 5}
            id{number} : int16
            ---
            a{number} : float32  # hello
            b : varchar(20)
            c = null : <blob>
            d = 'x' : enum('x', 'y{number % 7}')
            f : datetime(3)
            -> [nullable] T{number // 7}.proj({rename(number // 7)})
        """
    models = parse("large", texts)
    declare(connection, models.values())
    times: list[float] = []
    for _ in range(5):
        start = perf_counter()
        catalog = load(connection, ["large"])
        times.append(perf_counter() - start)
    assert compare(models, catalog) == ()
    assert min(times) < 0.5


def rename(number: int) -> str:
    """Return the projection that renames every key attribute of a table of `texts`."""
    chain = [number]
    while chain[-1]:
        chain.append(chain[-1] // 5)
    return ", ".join(f"other{each}='id{each}'" for each in chain)


# ---- schemas ----------------------------------------------------------------------------------------


def test_parents_of_other_schemas_are_reached(connection: Connection) -> None:
    """Their tables come along for the lineage, yet are not among those asked for."""
    base = parse("base", {"root": "root : int32  # the root", "unrelated": "x : int32"})
    middle = parse("middle", {"link": "-> base.Root.proj(mid='root')\nlink : int32"}, base)
    top = parse("top", {"leaf": "-> middle.Link.proj(far='mid')\nleaf : int32"}, middle)
    for models in (base, middle, top):
        declare(connection, models.values())
    catalog = load(connection, ["top"])
    assert of(catalog, "leaf", "top")["far"].lineage == "base.root.root"
    assert of(catalog, "leaf", "top")["far"].comment == "the root"
    assert set(catalog.pipeline_tables) == {TableId("top", "leaf")}
    assert TableId("base", "root") in catalog.tables
    assert TableId("base", "unrelated") not in catalog.tables
    assert compare(top, catalog) == ()


def test_children_in_other_schemas_are_found_when_asked_for(connection: Connection) -> None:
    """With all that those depend on, so that their lineage is right."""
    base = parse("base", {"root": "root : int32", "side": "side : int32"})
    top = parse(
        "top",
        {"leaf": "-> base.Root\nleaf : int32", "leaf2": "-> Leaf\n-> extra.Other"},
        base | parse("extra", {"other": "other : int32"}),
    )
    declare(connection, base.values())
    declare(connection, parse("extra", {"other": "other : int32"}).values())
    declare(connection, top.values())
    assert {table.schema for table in load(connection, ["base"]).tables} == {"base"}
    catalog = load(connection, ["base"], downstream=True)
    assert {TableId("top", "leaf2"), TableId("extra", "other")} <= catalog.tables.keys()
    assert of(catalog, "leaf2", "top")["other"].lineage == "extra.other.other"
    assert catalog.graph.descendants(TableId("base", "root")) == (
        TableId("base", "root"),
        TableId("top", "leaf"),
        TableId("top", "leaf2"),
    )


def test_schemas_are_listed_without_those_of_the_system(connection: Connection) -> None:
    """In the order of their names."""
    connection.execute('CREATE SCHEMA "B-2"; CREATE SCHEMA a1')
    assert list_schemas(connection) == ("B-2", "a1", "public")


def test_a_role_with_select_alone_sees_everything(connection: Connection, database_url: str) -> None:
    """Even with no privilege at all: the catalog is open to everyone."""
    models = parse("lab", LAB)
    declare(connection, models.values())
    with connected(database_url) as reader:
        reader.execute("CREATE ROLE djcli_reader; SET ROLE djcli_reader")
        try:
            assert compare(models, load(reader, ["lab"])) == ()
        finally:
            reader.execute("RESET ROLE; DROP ROLE djcli_reader")


# ---- tables of the system ---------------------------------------------------------------------------


def test_tables_of_the_system_are_told_apart(connection: Connection) -> None:
    """Job queues and other tables whose names start with ``~`` are loaded, yet are no pipeline's."""
    models = parse("lab", LAB)
    declare(connection, models.values())
    connection.execute(
        'CREATE TABLE lab."~~pair" (one int PRIMARY KEY, status text);'
        "ALTER TABLE lab.session ADD _prov jsonb;"
        "COMMENT ON COLUMN lab.session._prov IS ':json:extrinsic provenance'"
    )
    catalog = load(connection, ["lab"])
    assert of(catalog, "~~pair").tier is Tier.JOBS
    assert of(catalog, "~lineage").tier is Tier.HIDDEN
    assert set(catalog.pipeline_tables) == set(models)
    assert compare(models, catalog) == ()
    [provenance] = of(catalog, "session").hidden
    assert (provenance.name, provenance.nullable, provenance.comment) == (
        "_prov",
        True,
        "extrinsic provenance",
    )


def test_names_for_altering_are_known(connection: Connection) -> None:
    """Constraints and indexes by name, those included that merely serve foreign keys; and sizes."""
    declare(connection, parse("lab", LAB).values())
    table = TableId("lab", "__pair")
    physical = load(connection, ["lab"]).physical[table]
    assert physical.primary_key == "__pair_pkey"
    assert physical.foreign_keys == (
        "__pair_subject_id_strain_one_fkey",
        "__pair_subject_id_strain_two_fkey",
        "__pair_method_fkey",
        "__pair_subject_id_strain_third_fkey",
    )
    assert ("idx___pair_method", Index(("method",))) in physical.indexes
    assert physical.rows is None
    connection.execute("INSERT INTO lab.subject VALUES ('M1', 'a', now()), ('M2', 'a', now())")
    connection.execute("ANALYZE lab.subject")
    catalog = load(connection, ["lab"])
    assert catalog.physical[TableId("lab", "subject")].rows == 2
    assert count_rows(connection, [TableId("lab", "session"), TableId("lab", "subject")]) == {
        TableId("lab", "session"): 0,
        TableId("lab", "subject"): 2,
    }
    assert TableId("lab", "idx___pair_method") in catalog.relations


# ---- tables made by hand ----------------------------------------------------------------------------


def test_tables_made_by_hand_load(connection: Connection) -> None:
    """Core types are inferred; a key anywhere comes first; what a definition cannot say does no harm."""
    connection.execute(
        """
        CREATE SCHEMA hand;
        CREATE TYPE hand."Odd.Name" AS ENUM ('z', 'a');
        CREATE TABLE hand.thing (
            note text, "Weird Column" inet, mood hand."Odd.Name" NOT NULL DEFAULT 'a', tags text[],
            twice int GENERATED ALWAYS AS (id * 2) STORED, moment timestamptz DEFAULT now(),
            sub smallint, id int GENERATED BY DEFAULT AS IDENTITY, price numeric(6,2) DEFAULT 1.5,
            PRIMARY KEY (id, sub), UNIQUE (note), CHECK (price > 0));
        CREATE INDEX ON hand.thing (lower(note));
        CREATE INDEX ON hand.thing (price) WHERE price > 5;
        CREATE INDEX ON hand.thing (price) INCLUDE (note);
        CREATE TABLE hand.child (sub smallint, id int, extra text REFERENCES hand.thing (note),
            FOREIGN KEY (sub, id) REFERENCES hand.thing (sub, id));
        CREATE TABLE hand.empty ();
        """
    )
    catalog = load(connection, ["hand"])
    thing = of(catalog, "thing", "hand")
    assert thing.primary_key == ("id", "sub")
    assert thing.names[:3] == ("id", "sub", "note")
    assert [thing[name].type.text for name in ("sub", "note", "Weird Column", "mood", "tags", "price")] == [
        "int16",
        "text",
        "inet",
        "enum('z','a')",
        "text[]",
        "decimal(6,2)",
    ]
    assert thing["id"].type.is_identity
    assert thing["id"].has_default
    assert thing["twice"].default == Default("(id * 2)", is_expression=True)
    assert thing["price"].default == Default("1.50")
    assert catalog.enums == {EnumId("hand", "Odd.Name"): ("z", "a")}
    assert thing["mood"].type.column == "Odd.Name"
    assert set(thing.indexes) == {Index(("note",), unique=True), Index(("price",))}
    child = of(catalog, "child", "hand")
    assert child.foreign_keys[1] == ForeignKey(thing.id, (("id", "id"), ("sub", "sub")), nullable=True)
    assert child.foreign_keys[0].columns == (("extra", "note"),)
    assert child["extra"].lineage == "hand.thing.note"
    assert not child["id"].type.is_identity
    assert child.primary_key == ()
    assert of(catalog, "empty", "hand").attributes == ()


def test_foreign_keys_in_a_circle_load(connection: Connection) -> None:
    """A definition cannot make them, yet a database may have them."""
    connection.execute(
        """
        CREATE SCHEMA hand;
        CREATE TABLE hand.a (id int PRIMARY KEY, up int REFERENCES hand.a (id));
        CREATE TABLE hand.b (id int PRIMARY KEY REFERENCES hand.a (id));
        ALTER TABLE hand.a ADD FOREIGN KEY (id) REFERENCES hand.b (id);
        """
    )
    catalog = load(connection, ["hand"])
    lineages = {attribute.lineage for model in catalog.tables.values() for attribute in model}
    assert lineages == {"hand.a.id"}
    assert {attribute.type.text for model in catalog.tables.values() for attribute in model} == {"int32"}


def test_views_and_partitions_are_no_tables_of_a_pipeline(connection: Connection) -> None:
    """They are told apart by kind; a partitioned table is a table, whose parts are not."""
    connection.execute(
        """
        CREATE SCHEMA hand;
        CREATE TABLE hand.parent (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE hand.parent_low PARTITION OF hand.parent FOR VALUES FROM (0) TO (10);
        CREATE TABLE hand.child (id int PRIMARY KEY REFERENCES hand.parent (id));
        CREATE VIEW hand.sight AS SELECT * FROM hand.parent;
        CREATE MATERIALIZED VIEW hand.solid AS SELECT * FROM hand.parent;
        """
    )
    catalog = load(connection, ["hand"])
    assert [table.name for table in catalog.tables] == ["parent", "child"]
    assert len(of(catalog, "child", "hand").foreign_keys) == 1
    assert catalog.others == {
        TableId("hand", "parent_low"): "partition",
        TableId("hand", "sight"): "view",
        TableId("hand", "solid"): "materialized view",
    }


def test_an_index_that_the_rule_would_leave_out_was_declared(connection: Connection) -> None:
    """Where the primary key covers a foreign key, an index of the same columns is no helper of it."""
    models = parse(
        "lab",
        {"p": "p : int32", "c": "-> P\nc : int32\n---\nindex(p)", "d": "d : int32\n---\n-> P\nindex(p, d)"},
    )
    declare(connection, models.values())
    catalog = load(connection, ["lab"])
    assert of(catalog, "c").indexes == (Index(("p",)),)
    assert of(catalog, "d").indexes == (Index(("p", "d")),)
    assert compare(models, catalog) == ()
    connection.execute("DROP INDEX lab.idx_c_p")
    [change] = compare(models, load(connection, ["lab"]))
    assert isinstance(change, IndexAdded)
    assert change.index == Index(("p",))
