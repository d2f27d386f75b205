"""The compiler: one expression structure becomes one SELECT.

Aliases are counted inside one compilation, so the same structure always gives the same text. Subqueries
appear only where a clause could not be added to the statement at hand; restrictions by relations are
``EXISTS``. Values stay parameters, numbered by slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from psycopg import sql

from djcli.algebra import conditions as c
from djcli.algebra import nodes as n
from djcli.algebra.heading import COMPUTED, Heading
from djcli.algebra.relation import Node
from djcli.codecs.scalars import comparison_column
from djcli.definition.types import AttributeType
from djcli.errors import DataJointError
from djcli.sql.select import Output, Select, computed, subquery
from djcli.sql.statement import Statement, type_sql, user_sql

_EXISTS = sql.SQL("EXISTS ({})")


class _Compilation:
    """One run of the compiler; it counts aliases."""

    def __init__(self) -> None:
        self.aliases = 0

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def wrap(self, select: Select) -> Select:
        return subquery(select, self.alias())

    def plain(self, select: Select) -> Select:
        return select if select.is_plain else self.wrap(select)

    # ---- nodes --------------------------------------------------------------------------------------

    def node(self, node: Node, slot: int) -> Select:
        """Compile a node whose first value has number `slot`."""
        match node:
            case n.Base():
                return self.base(node)
            case n.Restrict():
                return self.restrict(node, slot)
            case n.Project():
                return self.project(node, slot)
            case n.Join():
                return self.join(node, slot)
            case n.Aggregate():
                return self.aggregate(node, slot)
            case n.Group():
                return self.group(node, slot)
            case n.Limit():
                return self.limit(node, slot)
            case _:
                raise DataJointError(f"no SQL for {type(node).__name__}")

    def base(self, node: n.Base) -> Select:
        alias = self.alias()
        model = node.model
        source = sql.SQL("{} AS {}").format(sql.Identifier(*model.id), sql.Identifier(alias))
        outputs = {name: Output(sql.Identifier(alias, name), name) for name in model.names}
        providers = Counter([*model.names, *(hidden.name for hidden in model.hidden)])
        return Select(source, outputs, providers)

    def restrict(self, node: n.Restrict, slot: int) -> Select:
        select = self.plain(self.node(node.source, slot))
        if node.condition.has_raw and not select.all_bare():
            select = self.wrap(select)
        first = slot + node.source.n_slots
        select.where.append(self.condition(node.condition, select, node.heading, first))
        return select

    def project(self, node: n.Project, slot: int) -> Select:
        select = self.node(node.source, slot)
        computes = any(isinstance(column, n.Computed) for column in node.columns)
        if select.distinct or (computes and (select.is_closed or not select.all_bare())):
            select = self.wrap(select)
        select.outputs = {
            column.name: select.outputs[column.source]
            if isinstance(column, n.Column)
            else computed(column.text)
            for column in node.columns
        }
        return select

    def join(self, node: n.Join, slot: int) -> Select:
        first = self.plain(self.node(node.first, slot))
        second = self.plain(self.node(node.second, slot + node.first.n_slots))
        if node.left and second.where:
            second = self.wrap(second)
        outputs = first.outputs | {
            name: output for name, output in second.outputs.items() if name not in first.outputs
        }
        return self.joined(first, second, node.shared, outputs, left=node.left)

    def joined(
        self,
        first: Select,
        second: Select,
        shared: Sequence[str],
        outputs: dict[str, Output],
        *,
        left: bool,
    ) -> Select:
        """Join two plain SELECTs on their shared attributes."""
        providers = first.providers + second.providers
        right = sql.SQL("({})").format(second.source) if second.joined else second.source
        if not shared:
            how = sql.SQL("{} LEFT JOIN {} ON TRUE") if left else sql.SQL("{} CROSS JOIN {}")
            source = how.format(first.source, right)
        else:
            how = sql.SQL("{} LEFT JOIN {}") if left else sql.SQL("{} JOIN {}")
            source = how.format(first.source, right) + self.on(first, second, shared)
            if first.all_bare(shared) and second.all_bare(shared):
                providers.subtract(shared)
        return Select(source, outputs, providers, [*first.where, *second.where], joined=True)

    @staticmethod
    def on(first: Select, second: Select, shared: Sequence[str]) -> sql.Composable:
        if first.all_bare(shared) and second.all_bare(shared):
            return sql.SQL(" USING ({})").format(sql.SQL(", ").join(map(sql.Identifier, shared)))
        return sql.SQL(" ON {}").format(
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(first.outputs[name].expression, second.outputs[name].expression)
                for name in shared
            )
        )

    def aggregate(self, node: n.Aggregate, slot: int) -> Select:
        first = self.plain(self.node(node.source, slot))
        second = self.plain(self.node(node.group, slot + node.source.n_slots))
        # The user's aggregates name attributes of both sides bare.
        first = first if first.all_bare() else self.wrap(first)
        if not second.all_bare() or (second.where and not node.drop_unmatched):
            second = self.wrap(second)
        select = self.joined(first, second, node.shared, first.outputs, left=not node.drop_unmatched)
        outputs: dict[str, Output] = {}
        grouped: dict[str, sql.Composable] = {
            name: first.outputs[name].expression for name in node.source.heading.primary_key
        }
        for column in node.columns:
            if isinstance(column, n.Column):
                outputs[column.name] = first.outputs[column.source]
                grouped[column.source] = first.outputs[column.source].expression
            else:
                outputs[column.name] = computed(column.text)
        select.outputs = outputs
        select.group = list(grouped.values())
        return select

    def group(self, node: n.Group, slot: int) -> Select:
        select = self.plain(self.node(node.source, slot))
        if node.computed and not select.all_bare():
            select = self.wrap(select)
        by = {name: select.outputs[name] for name in node.by}
        select.outputs = by | {column.name: computed(column.text) for column in node.computed}
        if node.computed:
            select.group = [output.expression for output in by.values()]
        else:
            select.distinct = True
        return select

    def limit(self, node: n.Limit, slot: int) -> Select:
        select = self.node(node.source, slot)
        if select.is_closed:
            select = self.wrap(select)
        first = slot + node.source.n_slots
        select.tail = order_by(select, node.order) + sql.SQL(" LIMIT {} OFFSET {}").format(
            sql.Placeholder(f"p{first}"), sql.Placeholder(f"p{first + 1}")
        )
        return select

    # ---- conditions ---------------------------------------------------------------------------------

    def condition(self, given: c.Condition, select: Select, heading: Heading, slot: int) -> sql.Composable:
        """Compile a condition on the rows of `select` whose first value has number `slot`."""
        match given:
            case c.Constant():
                return sql.SQL("TRUE") if given.value else sql.SQL("FALSE")
            case c.Raw():
                return sql.SQL("({})").format(user_sql(given.text))
            case c.Compare():
                return sql.SQL("{} {} {}").format(
                    select.outputs[given.name].expression,
                    _OPERATORS[given.operator],
                    placeholder(slot, heading[given.name].type),
                )
            case c.IsNull():
                return sql.SQL("{} IS NULL").format(select.outputs[given.name].expression)
            case c.Among():
                return self.among(given, select, heading, slot)
            case c.Matches():
                return self.matches(given, select, slot)
            case c.Not():
                inner = self.condition(given.item, select, heading, slot)
                if isinstance(given.item, c.Matches):
                    return sql.SQL("NOT {}").format(inner)
                # NULL counts as not true, so the negation keeps the row.
                return sql.SQL("({}) IS NOT TRUE").format(inner)
            case c.All() | c.Any():
                parts: list[sql.Composable] = []
                for item in given.items:
                    parts.append(self.condition(item, select, heading, slot))
                    slot += item.n_slots
                word = sql.SQL(" AND ") if isinstance(given, c.All) else sql.SQL(" OR ")
                return sql.SQL("({})").format(word.join(parts))
            case _:
                raise DataJointError(f"no SQL for {type(given).__name__}")

    def among(self, given: c.Among, select: Select, heading: Heading, slot: int) -> sql.Composable:
        columns = [select.outputs[name].expression for name in given.columns]
        lists = [
            placeholder(slot + i, heading[name].type, array=True) for i, name in enumerate(given.columns)
        ]
        if len(columns) == 1:
            return sql.SQL("{} = ANY ({})").format(columns[0], lists[0])
        comma = sql.SQL(", ")
        return sql.SQL("({}) IN (SELECT * FROM unnest({}))").format(comma.join(columns), comma.join(lists))

    def matches(self, given: c.Matches, select: Select, slot: int) -> sql.Composable:
        inner = self.node(given.node, slot)
        if inner.is_closed or any(inner.outputs[name].column is None for name in given.shared):
            inner = self.wrap(inner)
        inner.where += [
            sql.SQL("{} = {}").format(inner.outputs[name].expression, select.outputs[name].expression)
            for name in given.shared
        ]
        return _EXISTS.format(sql.SQL("SELECT 1 FROM ") + inner.source + sql.Composed(inner.conditions()))


_OPERATORS = {
    "=": sql.SQL("="),
    "!=": sql.SQL("<>"),
    "<": sql.SQL("<"),
    "<=": sql.SQL("<="),
    ">": sql.SQL(">"),
    ">=": sql.SQL(">="),
}


def placeholder(slot: int, kind: AttributeType, *, array: bool = False) -> sql.Composable:
    """Return the placeholder of a slot, cast to the type that a comparison with the attribute needs."""
    mark = sql.Placeholder(f"p{slot}")
    if kind is COMPUTED:
        return mark
    cast = comparison_type(kind)
    return sql.SQL("{}::{}[]" if array else "{}::{}").format(mark, cast)


def comparison_type(kind: AttributeType) -> sql.Composable:
    """Return the SQL type that values compared with the attribute are cast to."""
    if kind.is_enum:
        return sql.Identifier(*([kind.enum_schema] if kind.enum_schema else []), kind.column)
    return type_sql(comparison_column(kind.name, kind.column))


def order_by(select: Select, order: Sequence[n.Order]) -> sql.Composed:
    """Return the ORDER BY clause, empty without terms."""
    if not order:
        return sql.Composed([])
    terms = [
        select.outputs[term.name].expression + sql.SQL(" DESC")
        if term.descending
        else select.outputs[term.name].expression
        for term in order
    ]
    return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(terms)


@lru_cache(maxsize=4096)
def compile_select(
    node: Node,
    names: tuple[str, ...] | None = None,
    order: tuple[n.Order, ...] = (),
    *,
    limited: bool = False,
) -> Statement:
    """Compile an expression to the statement that fetches it.

    Parameters
    ----------
    node
        The structure.
    names
        The attributes to fetch, in order; all of them by default.
    order
        The ordering.
    limited
        Whether the statement ends in ``LIMIT %(limit)s OFFSET %(offset)s``.
    """
    run = _Compilation()
    select = run.node(node, 0)
    if (order or limited) and (select.distinct or select.tail is not None):
        select = run.wrap(select)
    tail = order_by(select, order)
    if limited:
        tail += sql.SQL(" LIMIT {} OFFSET {}").format(sql.Placeholder("limit"), sql.Placeholder("offset"))
    if select.distinct and names is not None:
        select = run.wrap(select)
    text = select.render(names, tail=tail).as_string()
    heading = node.heading
    return Statement(text, tuple(heading[name] for name in (heading.names if names is None else names)))


@lru_cache(maxsize=1024)
def compile_count(node: Node) -> Statement:
    """Compile the question how many rows an expression has."""
    parts = sql.SQL("SELECT count(*) FROM ") + _from(_Compilation(), node, 0)
    return Statement(parts.as_string(), ())


@lru_cache(maxsize=1024)
def compile_exists(node: Node) -> Statement:
    """Compile the question whether an expression has any row."""
    inner = sql.SQL("SELECT 1 FROM ") + _from(_Compilation(), node, 0)
    return Statement(sql.SQL("SELECT EXISTS ({})").format(inner).as_string(), ())


@lru_cache(maxsize=256)
def compile_counts(nodes: tuple[Node, ...]) -> Statement:
    """Compile the question how many rows each of several expressions has: one row, one number each.

    The values of the expressions follow one another.
    """
    run = _Compilation()
    parts: list[sql.Composable] = []
    slot = 0
    for node in nodes:
        parts.append(sql.SQL("(SELECT count(*) FROM {})").format(_from(run, node, slot)))
        slot += node.n_slots
    return Statement((sql.SQL("SELECT ") + sql.SQL(", ").join(parts)).as_string(), ())


@lru_cache(maxsize=256)
def compile_delete(node: Node) -> Statement:
    """Compile the deletion of the rows of a restricted table."""
    table = node
    while isinstance(table, (n.Restrict, n.Limit)):
        table = table.source
    if not isinstance(table, n.Base):
        raise DataJointError("only rows of a table can be deleted, not those of a query")
    run = _Compilation()
    select = run.node(node, 0)
    if select.is_plain and not select.joined and isinstance(node, (n.Base, n.Restrict)):
        parts = sql.SQL("DELETE FROM ") + select.source + sql.Composed(select.conditions())
        return Statement(parts.as_string(), ())
    key = sql.SQL(", ").join(map(sql.Identifier, table.heading.primary_key))
    inner = select.render(table.heading.primary_key)
    target = sql.Identifier(*table.model.id)
    statement = sql.SQL("DELETE FROM {} WHERE ({}) IN ({})").format(target, key, inner)
    return Statement(statement.as_string(), ())


def _from(run: _Compilation, node: Node, slot: int) -> sql.Composed:
    select = run.node(node, slot)
    if select.is_closed:
        select = run.wrap(select)
    return sql.Composed([select.source, *select.conditions()])
