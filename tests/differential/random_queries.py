"""Random schemas, rows and queries as plain data, and how either system builds a query of them.

It imports neither system, so that each can run it in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

Tree = list[Any]
"""A query or a restriction: its kind, then its operands."""

SECONDARY = {
    "int32": [0, 1, 2, 3],
    "varchar(8)": ["", "a", "b%", "it's", "x\ty"],
    "float64": [0.0, 0.5, 1.25],
    "bool": [True, False],
    "decimal(5,2)": ["0.50", "1.25"],
    "date": ["2026-01-06", "2026-02-07"],
}
NAMES = ("Ant", "Bee", "Cat", "Dog", "Eel", "Fox")


@dataclass
class Table:
    """One random table: its definition and rows."""

    name: str
    key: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    secondary: list[str] = field(default_factory=list)
    links: list[tuple[Table, dict[str, str], bool]] = field(default_factory=list)
    kinds: dict[str, tuple[str, bool]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def definition(self) -> str:
        """The definition's text."""
        return "\n".join([*self.lines, "---", *self.secondary])


def random_tables(random: Random) -> list[Table]:
    """Make 2 to 6 tables that refer to each other, with rows."""
    tables: list[Table] = []
    for name in NAMES[: random.randint(2, 6)]:
        table = Table(name)
        for parent in random.sample(tables, min(len(tables), random.choice((0, 1, 1, 2)))):
            _link(random, table, parent, in_key=random.random() < 0.6, number=0)
            if random.random() < 0.2:
                _link(random, table, parent, in_key=random.random() < 0.3, number=1)
        if not table.key or random.random() < 0.7:
            own = random.choice((f"{name.lower()}_id", "id", "id")) if not table.key else f"{name.lower()}_no"
            if own in table.kinds:
                own = f"{name.lower()}_own"
            table.key.append(own)
            table.kinds[own] = ("int32", False)
            table.lines.append(f"{own} : int32")
        for number in range(random.randint(0, 3)):
            kind = random.choice(list(SECONDARY))
            attribute = random.choice((f"v{number}", f"{name.lower()}_{number}"))
            nullable = random.random() < 0.4
            if attribute not in table.kinds:
                table.kinds[attribute] = (kind, nullable)
                table.secondary.append(f"{attribute}{'=null' if nullable else ''} : {kind}")
        _fill(random, table)
        tables.append(table)
    return tables


def _link(random: Random, table: Table, parent: Table, *, in_key: bool, number: int) -> None:
    rename = number > 0 or random.random() < 0.35
    prefix = f"{table.name[0].lower()}{number}_"
    columns = {(prefix + name if rename else name): name for name in parent.key}
    if any(own in table.kinds for own in columns):
        return
    nullable = not in_key and random.random() < 0.5
    renaming = ", ".join(f"{own}='{theirs}'" for own, theirs in columns.items() if own != theirs)
    line = f"-> {'[nullable] ' if nullable else ''}{parent.name}{f'.proj({renaming})' if renaming else ''}"
    (table.lines if in_key else table.secondary).append(line)
    if in_key:
        table.key += columns
    table.links.append((parent, columns, nullable))
    table.kinds |= dict.fromkeys(columns, ("int32", nullable))


def _fill(random: Random, table: Table) -> None:
    linked = {own for _, columns, _ in table.links for own in columns}
    seen: set[tuple[Any, ...]] = set()
    for _ in range(random.choice((0, 4, 8, 12))):
        row: dict[str, Any] = {}
        for parent, columns, nullable in table.links:
            if nullable and (not parent.rows or random.random() < 0.3):
                row |= dict.fromkeys(columns)
            elif not parent.rows:
                return
            else:
                chosen = random.choice(parent.rows)
                row |= {own: chosen[theirs] for own, theirs in columns.items()}
        for name, (kind, nullable) in table.kinds.items():
            if name not in linked:
                row[name] = None if nullable and random.random() < 0.3 else random.choice(SECONDARY[kind])
        key = tuple(row[name] for name in table.key)
        if key not in seen:
            seen.add(key)
            table.rows.append(row)


# ---- building ---------------------------------------------------------------------------------------


def build(dj: Any, tables: dict[str, Any], tree: Tree) -> Any:
    """Build a query, or a restriction, in the system `dj` with its table classes."""
    kind, *args = tree

    def sub(item: Tree) -> Any:
        return build(dj, tables, item)

    made = {
        "table": lambda name: tables[name](),
        "and": lambda a, b: sub(a) & sub(b),
        "minus": lambda a, b: sub(a) - sub(b),
        "proj": lambda a, names, named: sub(a).proj(*(... if n == "..." else n for n in names), **named),
        "join": lambda a, b: sub(a) * sub(b),
        "left": lambda a, b: sub(a).join(sub(b), left=True),
        "aggr": lambda a, b, names, named, inner: sub(a).aggr(
            sub(b), *names, exclude_nonmatching=inner, **named
        ),
        "union": lambda a, b: sub(a) + sub(b),
        "distinct": lambda names, a: dj.U(*names) & sub(a),
        "group": lambda names, a, named: dj.U(*names).aggr(sub(a), **named),
        "top": lambda a, limit, order, offset: sub(a) & dj.Top(limit, order, offset),
    }
    return made[kind](*args) if kind in made else _restriction(dj, kind, args, sub)


def _restriction(dj: Any, kind: str, args: list[Any], sub: Any) -> Any:
    match kind:
        case "dict" | "sql" | "bool":
            return args[0]
        case "list":
            return [sub(item) for item in args[0]]
        case "all":
            return dj.AndList([sub(item) for item in args[0]])
        case "not":
            return dj.Not(sub(args[0]))
        case "expr":
            return sub(args[0])
        case _:
            raise ValueError(f"no query of kind {kind!r}")


def answer(dj: Any, tables: dict[str, Any], tree: Tree) -> dict[str, Any]:
    """Return heading, key and rows of a query as JSON has them, or the error."""
    try:
        query = build(dj, tables, tree)
        names = list(query.heading.names)
        rows = [[_plain(row[name]) for name in names] for row in query.to_dicts()]
    except Exception as error:  # noqa: BLE001 - whatever a system says is its answer
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return {"names": names, "key": list(query.primary_key), "rows": sorted(rows, key=repr)}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
