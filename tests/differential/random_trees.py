"""Random queries over random tables, each operator's arguments chosen so that most make sense."""

from __future__ import annotations

from random import Random
from typing import Any

from random_queries import SECONDARY, Tree

from djcli.errors import DataJointError
from djcli.tables.expression import QueryExpression


class Trees:
    """Makes queries; headings are those that djcli tells, right or wrong as they may be."""

    def __init__(self, random: Random, dj: Any, tables: dict[str, Any], build: Any) -> None:
        self.random = random
        self.dj = dj
        self.tables = tables
        self.build = build
        self.number = 0

    def query(self, depth: int) -> Tree:
        """Return a random query of at most this depth."""
        random = self.random
        if depth <= 0 or random.random() < 0.08:
            return ["table", random.choice(list(self.tables))]
        for _ in range(4):
            tree = self._step(depth)
            if self.heading(tree) is not None or random.random() < 0.12:
                return tree
        return self.query(depth - 1)

    def heading(self, tree: Tree) -> Any:
        """Return the heading that a query has, None for one that is refused."""
        try:
            query: QueryExpression = self.build(self.dj, self.tables, tree)
        except DataJointError:
            return None
        return query.heading

    def _step(self, depth: int) -> Tree:
        random = self.random
        source = self.query(depth - 1)
        heading = self.heading(source)
        if heading is None:
            return source
        kinds = ["and"] * 5 + ["minus"] * 2 + ["proj"] * 5 + ["join"] * 4
        kinds += ["left", "aggr", "aggr", "union", "union", "distinct", "group", "top"]
        match random.choice(kinds):
            case "and":
                return ["and", source, self.restriction(heading, depth - 1)]
            case "minus":
                return ["minus", source, self.restriction(heading, depth - 1)]
            case "proj":
                return ["proj", source, *self.projection(heading)]
            case "join":
                return ["join", source, self.query(depth - 1)]
            case "left":
                return ["left", source, self.query(depth - 1)]
            case "aggr":
                return self._aggregate(source, heading, depth)
            case "union":
                return self._union(source, heading, depth)
            case "distinct":
                return ["distinct", self._some(heading.names), source]
            case "group":
                return ["group", self._some(heading.names), source, self._aggregates(heading)]
            case _:
                order = list(heading.names)
                random.shuffle(order)
                order = [name + random.choice(("", " DESC")) for name in order]
                return ["top", source, random.choice((1, 2, 5, None)), order, random.choice((0, 0, 1))]

    def _some(self, names: Any) -> list[str]:
        names = list(names)
        return self.random.sample(names, self.random.randint(min(1, len(names)), len(names)))

    def _new(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def _union(self, source: Tree, heading: Any, depth: int) -> Tree:
        if self.random.random() < 0.5:
            own = ["and", source, self.restriction(heading, depth - 1)]
            return ["union", ["proj", own, [], {}], ["proj", source, [], {}]]
        return ["union", source, self.query(depth - 1)]

    def _aggregate(self, source: Tree, heading: Any, depth: int) -> Tree:
        group = self.query(depth - 1)
        theirs = self.heading(group)
        if theirs is None or not set(heading.primary_key) <= set(theirs.names):
            # most often a table that has the key is wanted
            for name in self.random.sample(list(self.tables), len(self.tables)):
                if set(heading.primary_key) <= set(self.tables[name]().heading.names):
                    group = ["table", name]
                    theirs = self.heading(group)
                    break
        named = self._aggregates(theirs) if theirs is not None else {"n": "count(*)"}
        kept = self._some(heading.secondary) if heading.secondary and self.random.random() < 0.3 else []
        return ["aggr", source, group, kept, named, self.random.random() < 0.5]

    def _aggregates(self, heading: Any) -> dict[str, str]:
        texts = ["count(*)"]
        for name in heading.names:
            texts.append(f"count({name})")
            if heading[name].type.name in ("int32", "decimal", "date", "float64"):
                texts += [f"min({name})", f"max({name})"]
        return {self._new(): self.random.choice(texts) for _ in range(self.random.randint(1, 2))}

    def projection(self, heading: Any) -> tuple[list[str], dict[str, str]]:
        """Return arguments of proj: names, and new names."""
        random = self.random
        kept = random.choice(
            ([], ["..."], self._some(heading.secondary), ["...", *(f"-{n}" for n in heading.secondary[:1])])
        )
        named: dict[str, str] = {}
        for name in heading.names:
            chance = random.random()
            if chance < 0.12:
                named[self._new()] = name
            elif chance < 0.18:
                named[self._new()] = f"({name})"
            elif chance < 0.28 and heading[name].type.name == "int32":
                named[self._new()] = random.choice((f"{name} + 1", f"coalesce({name}, 0) * 2", f"-{name}"))
        if random.random() < 0.1:  # a name that others have, too
            named[random.choice(("v0", "v1", "id"))] = random.choice(list(heading.names))
        return kept, named

    # ---- restrictions ---------------------------------------------------------------------------------

    def restriction(self, heading: Any, depth: int) -> Tree:
        """Return a random restriction of a relation with this heading."""
        random = self.random
        match random.choice(
            ("dict", "dict", "sql", "sql", "list", "all", "not", "expr", "expr", "expr", "bool")
        ):
            case "dict":
                return ["dict", self._values(heading)]
            case "sql":
                return ["sql", self._sql(heading)]
            case "list" if depth > 0:
                return ["list", [self.restriction(heading, depth - 2) for _ in range(random.randint(0, 3))]]
            case "all" if depth > 0:
                return ["all", [self.restriction(heading, depth - 2) for _ in range(random.randint(0, 3))]]
            case "not" if depth > 0:
                return ["not", self.restriction(heading, depth - 2)]
            case "expr" if depth > 0:
                return ["expr", self.query(min(depth - 1, 2))]
            case _:
                return ["bool", random.random() < 0.7]

    def _values(self, heading: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self._some(heading.names)[:2]:
            kind = next((k for k in SECONDARY if k.split("(")[0] == heading[name].type.name), "int32")
            is_null = heading[name].nullable and self.random.random() < 0.2
            found[name] = None if is_null else self.random.choice(SECONDARY[kind])
        if self.random.random() < 0.1:
            found["no_such_attribute"] = 1
        return found

    def _sql(self, heading: Any) -> str:
        random = self.random
        name = random.choice(list(heading.names)) if heading.names else "nothing"
        if random.random() < 0.06:
            name = random.choice(("v0", "v1", "id", "ant_id"))
        kind = heading[name].type.name if name in heading else "int32"
        texts = [f"{name} IS NULL", f"{name} IS NOT NULL"]
        if kind == "int32":
            texts += [f"{name} > {random.randint(0, 2)}", f"{name} = 1 OR {name} = 2", f"{name} % 2 = 0"]
        if kind == "varchar":
            texts += [f"{name} LIKE '%%'", f"{name} = 'b%'", f"{name} like 'it''s'"]
        return random.choice(texts)
