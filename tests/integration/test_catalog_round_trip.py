"""From definition to database and back: generated tables compare equal to what the catalog says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from declaring import connected, declare, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djcli.catalog.introspect import load
from djcli.definition.model import TableModel
from djcli.migration.compare import compare
from djcli.names import Tier, display_name, table_name

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True).map(lambda name: name.rstrip("_"))
TEXTS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs"), exclude_characters="'\"\\"
    ),
    max_size=12,
)
COMMENTS = TEXTS.filter(lambda text: not text.startswith(":"))
LABELS = st.lists(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=6),
    min_size=1,
    max_size=4,
    unique=True,
)


def quoted(text: str) -> str:
    """Return a literal of the definition language."""
    return f"'{text}'"


PLAIN_TYPES = st.sampled_from(
    [
        *("int8", "int16", "int32", "int64", "float32", "float64", "bool", "date", "datetime", "datetime(3)"),
        *("uuid", "json", "bytes", "varchar(12)", "char(12)", "decimal(9,3)", "text", "integer", "bigint"),
    ]
)
ENUM_TYPES = LABELS.map(lambda labels: f"enum({', '.join(map(quoted, labels))})")
KEY_TYPES = st.one_of(st.sampled_from(["int32", "varchar(12)", "uuid", "date", "int8"]), ENUM_TYPES)
DEFAULTS: dict[str, st.SearchStrategy[str]] = {
    "int8": st.integers(-128, 127).map(str),
    "int16": st.integers(-(2**15), 2**15 - 1).map(str),
    "int32": st.integers(-(2**31), 2**31 - 1).map(str),
    "int64": st.integers(-(2**63), 2**63 - 1).map(str),
    "float32": st.floats(width=32).map(str).map(quoted),
    "float64": st.floats().map(str).map(quoted),
    "bool": st.sampled_from(["true", "false", "0", "1"]),
    "date": st.dates().map(str).map(quoted),
    "datetime": st.one_of(st.just("CURRENT_TIMESTAMP"), st.datetimes().map(str).map(quoted)),
    "datetime(3)": st.one_of(st.just("CURRENT_TIMESTAMP(3)"), st.datetimes().map(str).map(quoted)),
    "uuid": st.uuids().map(str).map(quoted),
    "varchar(12)": TEXTS.map(quoted),
    "char(12)": TEXTS.map(quoted),
    "decimal(9,3)": st.decimals(-999999, 999999, places=3).map(str),
    "text": TEXTS.map(quoted),
}


@dataclass
class Table:
    """A generated table: its definition, and the attributes that it has."""

    name: str
    lines: list[str]
    key: dict[str, str]
    attributes: dict[str, str]
    indexable: list[str]


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, str]:
    """Draw definitions by table name, each referring to earlier ones."""
    tables: list[Table] = []
    for number in range(draw(st.integers(1, 4))):
        tier = draw(st.sampled_from([Tier.MANUAL, Tier.LOOKUP, Tier.IMPORTED, Tier.COMPUTED]))
        tables.append(draw(definitions(table_name(tier, f"Table{number}"), tables)))
    return {table.name: "\n".join(table.lines) for table in tables}


@st.composite
def definitions(draw: st.DrawFn, name: str, parents: list[Table]) -> Table:
    """Draw one definition; lineage is the second part of what `attributes` remembers."""
    table = Table(name, [f"# {draw(COMMENTS)}"], {}, {}, [])
    for in_key in (True, False):
        if not in_key:
            table.lines.append("---")
        for _ in range(draw(st.integers(0, 3))):
            referable = [parent for parent in parents if parent.key]
            if referable and draw(st.booleans()):
                draw_foreign_key(draw, table, draw(st.sampled_from(referable)), in_key=in_key)
            else:
                draw_attribute(draw, table, in_key=in_key)
    if len(table.indexable) > 1 and draw(st.booleans()):
        columns = draw(st.lists(st.sampled_from(table.indexable), min_size=1, max_size=3, unique=True))
        table.lines.append(f"{draw(st.sampled_from(['', 'unique ']))}index({', '.join(columns)})")
    return table


def draw_attribute(draw: st.DrawFn, table: Table, *, in_key: bool) -> None:
    """Add an attribute with some type, default and comment."""
    name = draw(NAMES.filter(lambda name: name not in table.attributes))
    type_text = draw(KEY_TYPES if in_key else st.one_of(PLAIN_TYPES, ENUM_TYPES))
    default = ""
    if not in_key and draw(st.booleans()):
        default = " = null"
    elif type_text in DEFAULTS and draw(st.booleans()):
        default = f" = {draw(DEFAULTS[type_text])}"
    table.lines.append(f"{name}{default} : {type_text}  # {draw(COMMENTS)}")
    lineage = f"{table.name}.{name}" if in_key else ""
    table.attributes[name] = lineage
    table.indexable.append(name)
    if in_key:
        table.key[name] = lineage


def draw_foreign_key(draw: st.DrawFn, table: Table, parent: Table, *, in_key: bool) -> None:
    """Add a foreign key, renaming what would clash and sometimes what would not."""
    renames: dict[str, str] = {}
    own = dict(table.attributes)
    for name, lineage in parent.key.items():
        new = name
        if draw(st.booleans()) or own.get(name, lineage) != lineage:
            new = draw(NAMES.filter(lambda drawn: drawn not in own and drawn not in parent.key))
            renames[new] = name
        own[new] = lineage
    options = [] if in_key else draw(st.lists(st.sampled_from(["nullable", "unique"]), unique=True))
    modifiers = f"[{', '.join(options)}] " if options else ""
    projection = ", ".join(f"{new}='{old}'" for new, old in renames.items())
    reference = display_name(parent.name)
    if renames:
        reference += f".proj({projection})"
    if any(line.endswith(f" {reference}") for line in table.lines):
        return
    table.lines.append(f"-> {modifiers}{reference}")
    for name, lineage in own.items():
        if name not in table.attributes:
            table.attributes[name] = lineage
            table.indexable.append(name)
            if in_key:
                table.key[name] = lineage


def is_told_apart(model: TableModel) -> bool:
    """Whether the catalog can tell each declared index from those of foreign keys."""
    keys = {key.attributes for key in model.foreign_keys}
    return not any(index.attributes in keys for index in model.indexes)


def test_generated_tables_come_back_equal(database_url: str, soak: Callable[[int, int], int]) -> None:
    """Whatever is declared, the catalog's model equals it, and nothing is left to change."""
    with connected(database_url) as connection:

        @settings(max_examples=soak(50, 2000), deadline=None, suppress_health_check=list(HealthCheck))
        @given(pipelines())
        def check(texts: dict[str, str]) -> None:
            models = parse("generated", texts)
            connection.start_transaction()
            try:
                declare(connection, models.values())
                catalog = load(connection, ["generated"])
            finally:
                connection.cancel_transaction()
            assert compare(models, catalog) == ()
            for table, model in models.items():
                if is_told_apart(model):
                    assert catalog.tables[table] == model

        check()
