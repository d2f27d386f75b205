"""DDL: what the statements make, statement by statement, and that a database takes every name and text."""

from __future__ import annotations

import pytest
from declaring import connected, declare, parse

from djcli.catalog.introspect import load
from djcli.definition.model import Index, TableId
from djcli.errors import DataJointError
from djcli.migration.compare import compare
from djcli.sql.ddl import (
    EnumId,
    Existing,
    create_tables,
    drop_enum,
    drop_schema,
    drop_tables,
    forget_lineage,
    index_name,
    lineage_statements,
    physical_indexes,
    script,
    statement_text,
)

LAB = {
    "subject": """
        # Subjects {x} 100% 'single' "double" \\ 🐭
        subject_id : varchar(16)  # the "id": 'quoted' {b} 50% \\n #2 🐁
        ---
        sex = 'U' : enum('M', 'F', 'U')
        weight = null : decimal(5,2)
        born = CURRENT_TIMESTAMP : datetime(3)
    """,
    "#method": """
        method : varchar(16)
        ---
        flavour : enum('it''s', 'a,b', 'a_b', '100%', 'back\\slash', '🐭')
    """,
    "session": """
        -> Subject
        session : int32
        ---
        -> [nullable] Method
        -> [unique] Subject.proj(companion='subject_id')
        index(session, subject_id)
    """,
    "__summary": """
        -> Session
        ---
        score = 0.5 : float64
    """,
}


def text_of(name: str, **others: str) -> list[str]:
    """Return the statements that create one of the lab's tables."""
    models = parse("lab", LAB | others)
    return [statement_text(each) for each in create_tables([models[TableId("lab", name)]])]


def test_statements_read_as_the_physical_schema_has_them() -> None:
    """Types, defaults, keys, the names of indexes, comments: one statement each."""
    table, *others = text_of("session")
    action = "ON UPDATE CASCADE ON DELETE RESTRICT"
    assert table.splitlines() == [
        'CREATE TABLE "lab"."session" (',
        '  "subject_id" character varying(16) NOT NULL,',
        '  "session" integer NOT NULL,',
        '  "method" character varying(16),',
        '  "companion" character varying(16) NOT NULL,',
        '  PRIMARY KEY ("subject_id", "session"),',
        f'  FOREIGN KEY ("subject_id") REFERENCES "lab"."subject" ("subject_id") {action},',
        f'  FOREIGN KEY ("method") REFERENCES "lab"."#method" ("method") {action},',
        f'  FOREIGN KEY ("companion") REFERENCES "lab"."subject" ("subject_id") {action}',
        ")",
    ]
    assert others == [
        'CREATE UNIQUE INDEX "idx_session_companion" ON "lab"."session" ("companion")',
        'CREATE INDEX "idx_session_session_subject_id" ON "lab"."session" ("session", "subject_id")',
        'CREATE INDEX "idx_session_method" ON "lab"."session" ("method")',
        """COMMENT ON COLUMN "lab"."session"."session" IS ':int32:'""",
    ]


def test_defaults_are_quoted_and_null_is_said() -> None:
    """A literal default goes in quotes, an expression does not; a nullable attribute says DEFAULT NULL."""
    enum, table, *_ = text_of("subject")
    assert enum.startswith('CREATE TYPE "lab"."enum_')
    assert """NOT NULL DEFAULT 'U'""" in table
    assert '"weight" numeric(5,2) DEFAULT NULL' in table
    assert '"born" timestamp(3) without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP' in table


def test_any_text_survives(database_url: str) -> None:
    """Percent signs, braces, quotes, backslashes and emoji reach the database as they are."""
    models = parse("lab", LAB)
    with connected(database_url) as connection:
        declare(connection, models.values())
        catalog = load(connection, ["lab"])
    assert compare(models, catalog) == ()
    assert catalog.tables[TableId("lab", "subject")].comment == "Subjects {x} 100% 'single' \"double\" \\ 🐭"
    assert catalog.tables[TableId("lab", "subject")]["subject_id"].comment.endswith("{b} 50% \\n #2 🐁")
    labels = catalog.tables[TableId("lab", "#method")]["flavour"].type.labels
    assert labels == ("it's", "a,b", "a_b", "100%", "back\\slash", "🐭")


@pytest.mark.parametrize("schema", ["Mixed-Case", "select", 'quo"te', "50%", "ünïcode", "with space"])
def test_any_schema_name_works(database_url: str, schema: str) -> None:
    """A schema's name is quoted wherever it stands; attributes may be called like keywords."""
    models = parse(
        schema,
        {
            "order": "user : int32\n---\nselect = 'a' : enum('a', 'b')\ngroup = null : date\nindex(group)",
            "__where": "-> Order\n---\ntable : <blob>",
        },
    )
    with connected(database_url) as connection:
        declare(connection, models.values())
        catalog = load(connection, [schema])
        assert compare(models, catalog) == ()
        assert TableId(schema, "~lineage") in catalog.tables
        connection.execute(script([*drop_tables(models), drop_schema(schema, cascade=True)]))
        assert load(connection, [schema]).schemas == frozenset()


def test_a_name_too_long_is_refused() -> None:
    """PostgreSQL would cut it without a word."""
    model = parse("lab", {"t" * 64: "a : int32"})
    with pytest.raises(DataJointError, match=r"table name .* is 64 bytes long.* PostgreSQL allows 63"):
        create_tables(model.values())


# ---- indexes ----------------------------------------------------------------------------------------


def indexes_of(definition: str) -> list[tuple[tuple[str, ...], bool]]:
    """Return attributes and uniqueness of all indexes of a child of P(p, q) and R(p, q, r)."""
    parents = {"p": "p : int32\nq : int32", "r": "-> P\nr : int32"}
    model = parse("lab", {**parents, "c": definition})[TableId("lab", "c")]
    return [(index.attributes, index.unique) for index in physical_indexes(model)]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("-> P\nc : int32", []),  # a left prefix of the primary key
        ("c : int32\n-> P", [(("p", "q"), False)]),  # not at the left
        ("c : int32\n---\n-> P\n-> R", [(("p", "q", "r"), False)]),  # the longer one covers the shorter
        ("c : int32\n---\n-> P\nindex(p, q, c)", [(("p", "q", "c"), False)]),  # a declared one covers it
        ("c : int32\n---\n-> P\nindex(q, p)", [(("q", "p"), False), (("p", "q"), False)]),  # order counts
        ("-> [unique] P\nc : int32", [(("p", "q"), True)]),  # a unique one is never left out
        ("-> P\nc : int32\n---\nindex(p)", [(("p",), False)]),  # nor a declared one
    ],
)
def test_an_index_is_left_out_only_where_another_serves(
    definition: str, expected: list[tuple[tuple[str, ...], bool]]
) -> None:
    """A foreign key's own index is left out if its columns start another index."""
    assert indexes_of(definition) == expected


def test_index_names_never_collide(database_url: str) -> None:
    """Joined names are cut to 30 characters; where two are alike, in one table or two, one has a hash."""
    long = "a_very_long_attribute_name_indeed"
    models = parse(
        "lab",
        {
            "t": f"{long}_one : int32\nb_c : int32\n---\n{long}_two : int32\n"
            f"index({long}_two)\nindex({long}_two, b_c)\nunique index({long}_two)\nindex(b_c)",
            "t_b": "a : int32\n---\nc : int32\nindex(c)",
            "t" * 62: "a : int32\n---\nb : int32\nc : int32\nindex(b)\nindex(c)",
        },
    )
    with connected(database_url) as connection:
        declare(connection, models.values())
        catalog = load(connection, ["lab"])
    assert compare(models, catalog) == ()
    names = [name for physical in catalog.physical.values() for name, _ in physical.indexes]
    assert len(names) == len(set(names)) == 7
    assert f"idx_t_{long[:30]}" in names
    assert all(len(name) <= 63 for name in names)


def test_an_index_name_that_is_free_stays_plain() -> None:
    """The hash depends on the index alone, so the name is the same each time."""
    table, index = TableId("lab", "#method"), Index(("a", "b"))
    plain = index_name(table, index)
    assert plain == "idx_#method_a_b"
    hashed = index_name(table, index, {TableId("lab", plain)})
    assert hashed == index_name(table, index, {TableId("lab", plain)})
    assert hashed.startswith(f"{plain}_")
    assert index_name(table, index, {TableId("elsewhere", plain)}) == plain


# ---- enum types -------------------------------------------------------------------------------------


def test_an_enum_type_is_made_once_and_used_again(database_url: str) -> None:
    """Two attributes of the same labels share a type; the same labels in another order are another type."""
    models = parse(
        "lab",
        {
            "a": "a : int32\n---\nx : enum('p', 'q')\ny : enum('p','q')\nz : enum('q', 'p')",
            "b": "b : int32\n---\nx : enum( 'p' , 'q' )",
        },
    )
    with connected(database_url) as connection:
        declare(connection, list(models.values())[:1])
        declare(connection, list(models.values())[1:])
        catalog = load(connection, ["lab"])
        assert compare(models, catalog) == ()
        assert sorted(catalog.enums.values()) == [("p", "q"), ("q", "p")]
        assert all(schema == "lab" and name.startswith("enum_") for schema, name in catalog.enums)
        connection.execute(script([*drop_tables(models), *(drop_enum(*enum) for enum in catalog.enums)]))
        assert load(connection, ["lab"]).enums == {}


def test_children_use_the_type_of_the_parent_in_its_schema(database_url: str) -> None:
    """Through a renaming and across schemas, even where the parent's type has a name that is not ours."""
    with connected(database_url) as connection:
        connection.execute(
            "CREATE SCHEMA old; CREATE TYPE old.enum_legacy AS ENUM ('x', 'y');"
            "CREATE TABLE old.kind (kind old.enum_legacy PRIMARY KEY);"
            "COMMENT ON COLUMN old.kind.kind IS ':enum(''x'',''y''):'"
        )
        declared = parse("old", {"kind": "kind : enum('x','y')"})
        new = parse(
            "new",
            {
                "thing": "-> old.Kind\nthing : int32\n---\nkind2 : enum('x','y')",
                "__made": "-> Thing\n---\n-> old.Kind.proj(other='kind')",
            },
            declared,
        )
        declare(connection, new.values())
        catalog = load(connection, ["old", "new"])
    assert compare(declared | new, catalog) == ()
    made = catalog.tables[TableId("new", "__made")]
    for name in ("kind", "other"):
        assert (made[name].type.enum_schema, made[name].type.column) == ("old", "enum_legacy")
    assert catalog.tables[TableId("new", "thing")]["kind2"].type.enum_schema == "new"


def test_an_enum_name_that_other_labels_have_is_passed_over() -> None:
    """The reference system gives labels in two orders one name."""
    model = parse("lab", {"a": "a : int32\n---\nx : enum('p', 'q')"})[TableId("lab", "a")]
    name = model["x"].type.column
    existing = Existing(enums={EnumId("lab", name): ("q", "p")})
    enum, table, *_ = (statement_text(each) for each in create_tables([model], existing))
    assert enum == f"CREATE TYPE \"lab\".\"{name}_2\" AS ENUM ('p', 'q')"
    assert f'"x" "lab"."{name}_2" NOT NULL' in table
    same = Existing(enums={EnumId("lab", "enum_other"): ("p", "q")})
    assert '"x" "lab"."enum_other" NOT NULL' in statement_text(create_tables([model], same)[0])


# ---- lineage ----------------------------------------------------------------------------------------


def test_lineage_rows_tell_every_key_attribute(database_url: str) -> None:
    """Keys and foreign keys have rows, other attributes none; a second time changes nothing."""
    models = parse("lab", {**LAB, "#singleton": "---\nvalue : int32"})
    with connected(database_url) as connection:
        declare(connection, models.values())
        connection.execute(script(lineage_statements(models.values())))
        query = 'SELECT * FROM lab."~lineage" ORDER BY 1, 2'
        rows = connection.rows(query)
        assert ("session", "companion", "lab.subject.subject_id") in rows
        assert ("#singleton", "_singleton", "lab.#singleton._singleton") in rows
        assert ("__summary", "session", "lab.session.session") in rows
        assert not [row for row in rows if row[1] in ("weight", "score", "flavour")]
        connection.execute(script(forget_lineage([TableId("lab", "session"), TableId("lab", "subject")])))
        assert {row[0] for row in connection.rows(query)} == {"__summary", "#method", "#singleton"}
