"""Lowering: the structure of an expression, node by node, into one SELECT in the making.

Aliases are counted inside one compilation, so the same structure always gives the same text. Subqueries
appear only where a clause could not be added to the statement at hand; restrictions by relations are
``EXISTS``. Values stay parameters, numbered by slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from psycopg import sql

from djcli.algebra import conditions as c
from djcli.algebra import nodes as n
from djcli.algebra.closure import Closure, Merged
from djcli.algebra.heading import Heading
from djcli.algebra.relation import Node
from djcli.errors import DataJointError
from djcli.sql.comparison import OPERATORS, comparison_type, extract, inside
from djcli.sql.marks import Marks
from djcli.sql.select import Output, Select, computed, named, order_by, subquery
from djcli.sql.statement import enclosed, identifier

_EXISTS = sql.SQL("EXISTS ({})")


class Lowering:
    """One run of the compiler; it counts aliases, and refers to values by `marks`."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.aliases = 0
        self.sight: frozenset[str] = frozenset()
        """The columns of the statements around the one being compiled: inside EXISTS they can be named."""
        self.apart: list[sql.Composable] = []
        """Subqueries that stand before the statement, out of sight of its columns."""

    def alias(self) -> str:
        """Return the next alias."""
        self.aliases += 1
        return f"t{self.aliases}"

    def wrap(self, select: Select) -> Select:
        """Return a SELECT from this one."""
        return subquery(select, self.alias())

    def plain(self, select: Select) -> Select:
        """Return the SELECT, wrapped unless conditions and joins can be added to it."""
        return select if select.is_plain else self.wrap(select)

    def finish(self, statement: sql.Composable) -> str:
        """Return the text of the statement, with the subqueries that stand before it."""
        return self.complete(statement).as_string()

    def complete(self, statement: sql.Composable) -> sql.Composable:
        """Return the statement with the subqueries that stand before it."""
        if not self.apart:
            return statement
        return sql.SQL("WITH {} ").format(sql.SQL(", ").join(self.apart)) + statement

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
            case n.Union():
                return self.union(node, slot)
            case n.Limit():
                return self.limit(node, slot)
            case Closure():
                return self.closure(node, slot)
            case Merged():
                return self.merged(node, slot)
            case _:
                raise DataJointError(f"no SQL for {type(node).__name__}")

    def base(self, node: n.Base) -> Select:
        """Compile a table."""
        alias = self.alias()
        model = node.model
        source = sql.SQL("{} AS {}").format(identifier(*model.id), identifier(alias))
        outputs = {name: Output(identifier(alias, name), name) for name in model.names}
        providers = Counter([*model.names, *(hidden.name for hidden in model.hidden)])
        return Select(source, outputs, providers)

    def restrict(self, node: n.Restrict, slot: int) -> Select:
        """Compile a restriction: one condition more."""
        select = self.node(node.source, slot)
        condition = node.condition
        if select.is_closed or select.computes(condition.names) or not select.understands(condition.words):
            select = self.wrap(select)
        first = slot + node.source.n_slots
        select.where.append(self.condition(condition, select, node.heading, first))
        select.words |= condition.words | condition.stray_words(node.heading.by_name)
        return select

    def project(self, node: n.Project, slot: int) -> Select:
        """Compile a projection: other outputs."""
        select = self.node(node.source, slot)
        spoken = n.spoken(node.columns)
        computes = any(not isinstance(column, n.Column) for column in node.columns)
        if select.distinct or (computes and select.is_closed) or not select.understands(spoken):
            select = self.wrap(select)
        outputs: dict[str, Output] = {}
        for column in node.columns:
            match column:
                case n.Column():
                    outputs[column.name] = select.outputs[column.source]
                case n.Computed():
                    outputs[column.name] = computed(column.text)
                case n.Reached():
                    at = select.outputs[column.path.name].expression
                    outputs[column.name] = Output(inside(at, column.path), None)
        select.outputs = outputs
        return select

    def join(self, node: n.Join, slot: int) -> Select:
        """Compile a join: one FROM clause more."""
        first = self.plain(self.node(node.first, slot))
        second = self.plain(self.node(node.second, slot + node.first.n_slots))
        second.forget(first.outputs.keys() - node.shared)
        if node.left and second.where:
            second = self.wrap(second)
        return self.joined(first, second, node.shared, left=node.left)

    def joined(self, first: Select, second: Select, shared: Sequence[str], *, left: bool) -> Select:
        """Join two plain SELECTs on their shared attributes."""
        first, second = self.told_apart(first, second, shared), self.told_apart(second, first, shared)
        using = _can_use(first, second, shared)
        providers = first.providers + second.providers
        if using:
            providers.subtract(shared)
        right = sql.SQL("({})").format(second.source) if second.joined else second.source
        if not shared:
            how = sql.SQL("{} LEFT JOIN {} ON TRUE") if left else sql.SQL("{} CROSS JOIN {}")
            source = how.format(first.source, right)
        else:
            how = sql.SQL("{} LEFT JOIN {}") if left else sql.SQL("{} JOIN {}")
            source = how.format(first.source, right) + self.on(first, second, shared, using=using)
        outputs = first.outputs | {k: v for k, v in second.outputs.items() if k not in first.outputs}
        return Select(
            source,
            outputs,
            providers,
            [*first.where, *second.where],
            first.words | second.words,
            joined=True,
        )

    def told_apart(self, select: Select, other: Select, shared: Sequence[str]) -> Select:
        """Wrap a SELECT if the user's SQL among its conditions could mean columns of the other one."""
        merged = shared if _can_use(select, other, shared) else ()
        mixed = any(other.providers[word] > 0 for word in select.words.difference(merged))
        return self.wrap(select) if mixed else select

    @staticmethod
    def on(first: Select, second: Select, shared: Sequence[str], *, using: bool) -> sql.Composable:
        """Return the condition of a join."""
        if using:
            return sql.SQL(" USING ({})").format(sql.SQL(", ").join(map(identifier, shared)))
        return sql.SQL(" ON {}").format(
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(first.outputs[name].expression, second.outputs[name].expression)
                for name in shared
            )
        )

    def aggregate(self, node: n.Aggregate, slot: int) -> Select:
        """Compile an aggregation: a join, grouped by the key of its first side."""
        first = self.plain(self.node(node.source, slot))
        second = self.plain(self.node(node.group, slot + node.source.n_slots))
        second.forget(first.outputs.keys() - node.shared)
        left = not node.drop_unmatched
        if second.where and left:
            second = self.wrap(second)
        select = self.joined(first, second, node.shared, left=left)
        # The user's aggregates name attributes of both sides bare, and nothing else.
        spoken = n.spoken(node.columns)
        if not select.understands(spoken):
            second = self.wrap(second)
            select = self.joined(first, second, node.shared, left=left)
        if not select.understands(spoken):
            select = self.joined(self.wrap(first), second, node.shared, left=left)
        outputs: dict[str, Output] = {}
        grouped = {name: select.outputs[name].expression for name in node.source.heading.primary_key}
        for column in node.columns:
            if isinstance(column, n.Column):
                outputs[column.name] = select.outputs[column.source]
                grouped[column.source] = select.outputs[column.source].expression
            else:
                outputs[column.name] = computed(column.text)
        select.outputs = outputs
        select.group = list(grouped.values())
        return select

    def group(self, node: n.Group, slot: int) -> Select:
        """Compile distinct values, or groups of them."""
        select = self.plain(self.node(node.source, slot))
        if not select.understands(n.spoken(node.computed)):
            select = self.wrap(select)
        by = {name: select.outputs[name] for name in node.by}
        select.outputs = by | {column.name: computed(column.text) for column in node.computed}
        if node.computed:
            select.group = [output.expression for output in by.values()]
        else:
            select.distinct = True
        return select

    def union(self, node: n.Union, slot: int) -> Select:
        """Compile a union: of keys, or a full join where there is more."""
        key = node.heading.primary_key
        first = self.node(node.first, slot)
        second = self.node(node.second, slot + node.first.n_slots)
        if len(key) == len(node.heading):
            both = sql.SQL("({}) UNION ({})").format(first.render(key), second.render(key))
            return named(both, self.alias(), key)
        first, second = self.wrap(first), self.wrap(second)
        either = sql.SQL("{} FULL JOIN {}").format(first.source, second.source)
        if key:
            either += self.on(first, second, key, using=True)
        else:
            either += sql.SQL(" ON TRUE")
        # After USING the bare name is the one of the two values that there is.
        outputs = {name: Output(identifier(name), name) for name in key}
        secondary = first.outputs | second.outputs
        outputs |= {name: secondary[name] for name in node.heading.names if name not in outputs}
        return self.wrap(Select(either, outputs, Counter(node.heading.names), joined=True))

    def limit(self, node: n.Limit, slot: int) -> Select:
        """Compile the first rows in an order."""
        select = self.node(node.source, slot)
        if select.is_closed:
            select = self.wrap(select)
        first = slot + node.source.n_slots
        select.tail = order_by(select, node.order) + sql.SQL(" LIMIT {} OFFSET {}").format(
            self.marks.number(f"p{first}"), self.marks.number(f"p{first + 1}")
        )
        return select

    def closure(self, node: Closure, slot: int) -> Select:
        """Compile what rows of a table lead to: a query that goes on until it finds no row that is new."""
        names = node.heading.names
        start = self.node(node.source, slot).render(names)
        found, table = identifier(self.alias()), self.base(node.table)
        steps = [
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}.{}").format(table.outputs[own].expression, found, identifier(before))
                for own, before in step
            )
            for step in node.steps
        ]
        query = sql.SQL(
            "WITH RECURSIVE {found} AS ({start} UNION {more} JOIN {found} ON {step}) SELECT * FROM {found}"
        ).format(found=found, start=start, more=table.render(names), step=sql.SQL(" OR ").join(steps))
        return named(query, self.alias(), names)

    def merged(self, node: Merged, slot: int) -> Select:
        """Compile the distinct rows of several relations: their union."""
        names = node.heading.names
        parts: list[sql.Composable] = []
        for part in node.parts:
            parts.append(sql.SQL("({})").format(self.node(part, slot).render(names)))
            slot += part.n_slots
        return named(sql.SQL(" UNION ").join(parts), self.alias(), names)

    # ---- conditions ---------------------------------------------------------------------------------

    def condition(self, given: c.Condition, select: Select, heading: Heading, slot: int) -> sql.Composable:
        """Compile a condition on the rows of `select` whose first value has number `slot`."""
        match given:
            case c.Constant():
                return sql.SQL("TRUE") if given.value else sql.SQL("FALSE")
            case c.Raw():
                return enclosed(given.text)
            case c.Compare():
                return sql.SQL("{} {} {}").format(
                    select.outputs[given.name].expression,
                    OPERATORS[given.operator],
                    self.marks.value(slot, heading[given.name].type),
                )
            case c.IsNull():
                return sql.SQL("{} IS NULL").format(select.outputs[given.name].expression)
            case c.ComparePath():
                return self.compare_path(given, select, slot)
            case c.IsNullPath():
                at = select.outputs[given.path.name].expression
                return sql.SQL("{} IS NULL").format(extract(at, given.path))
            case c.Among():
                columns = [select.outputs[name].expression for name in given.columns]
                return self.marks.among(columns, slot, [heading[name].type for name in given.columns])
            case c.Matches():
                return self.matches(given, select, slot)
            case c.Not():
                return self.negation(given.item, select, heading, slot)
            case c.All() | c.Any():
                parts: list[sql.Composable] = []
                for item in given.items:
                    parts.append(self.condition(item, select, heading, slot))
                    slot += item.n_slots
                word = sql.SQL(" AND ") if isinstance(given, c.All) else sql.SQL(" OR ")
                return sql.SQL("({})").format(word.join(parts))
            case _:
                raise DataJointError(f"no SQL for {type(given).__name__}")

    def negation(self, given: c.Condition, select: Select, heading: Heading, slot: int) -> sql.Composable:
        """Compile the negation of a condition."""
        if isinstance(given, c.Among) and not any(heading[name].nullable for name in given.columns):
            columns = [select.outputs[name].expression for name in given.columns]
            kinds = [heading[name].type for name in given.columns]
            return self.marks.none_of(columns, slot, kinds, self.alias())
        inner = self.condition(given, select, heading, slot)
        if isinstance(given, c.Matches):
            return sql.SQL("NOT {}").format(inner)
        return sql.SQL("NOT ({})").format(inner)

    def compare_path(self, given: c.ComparePath, select: Select, slot: int) -> sql.Composable:
        """Compile a comparison inside JSON."""
        at = select.outputs[given.path.name].expression
        left = extract(at, given.path, as_json=True) if given.as_json else inside(at, given.path)
        kind = sql.SQL("jsonb") if given.as_json else comparison_type(given.path.cast or n.TEXT)
        return sql.SQL("{} {} {}").format(left, OPERATORS[given.operator], self.marks.cast(slot, kind))

    def matches(self, given: c.Matches, select: Select, slot: int) -> sql.Composable:
        """Compile EXISTS; values that are NULL match nothing."""
        outer = self.sight | {name for name, number in select.providers.items() if number > 0}
        if given.node.stray_words.isdisjoint(outer):
            around, self.sight = self.sight, outer
            inner = self.node(given.node, slot)
            self.sight = around
        else:
            inner = self.out_of_sight(given.node, slot)
        if inner.is_closed or inner.computes(given.shared):
            inner = self.wrap(inner)
        inner.where += [
            sql.SQL("{} = {}").format(inner.outputs[name].expression, select.outputs[name].expression)
            for name in given.shared
        ]
        return _EXISTS.format(sql.SQL("SELECT 1 FROM ") + inner.source + sql.Composed(inner.conditions()))

    def out_of_sight(self, node: Node, slot: int) -> Select:
        """Compile a relation so that the user's SQL in it cannot mean columns of the statement around."""
        around, self.sight = self.sight, frozenset[str]()
        inner = self.node(node, slot)
        self.sight = around
        alias = self.alias()
        name = identifier(alias)
        self.apart.append(sql.SQL("{} AS ({})").format(name, inner.render()))
        outputs = {column: Output(identifier(alias, column), column) for column in inner.outputs}
        return Select(name, outputs, Counter(inner.outputs.keys()))


def _can_use(first: Select, second: Select, shared: Sequence[str]) -> bool:
    """Whether ``JOIN … USING (shared)`` compares the right columns."""
    return first.all_bare(shared) and second.all_bare(shared)
