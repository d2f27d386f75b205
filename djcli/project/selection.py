"""Finding table classes by what users type: names, and the grammar of `djcli.project.terms`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from djcli.catalog.graph import Graph
from djcli.definition.model import TableId
from djcli.errors import SelectionError
from djcli.names import Tier, near
from djcli.project.pipelines import LoadFailure
from djcli.project.terms import By, Term, parse_terms
from djcli.tables.table import Table


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a selection looks at of a table.

    Attributes
    ----------
    id
        Schema and name.
    tier
        The tier.
    names
        Every name that the table answers to, the shortest, as ``Session.Trial``, first.
    """

    id: TableId
    tier: Tier
    names: tuple[str, ...]

    def fits(self, term: Term) -> bool:
        """Tell whether it is among the tables that a term matches, its relatives aside."""
        match term.by:
            case By.TIER:
                return term.matches(tier_word(self.tier))
            case By.SCHEMA:
                return term.matches(self.id.schema)
            case By.NAME:
                # without a dot a wildcard stands for text in the name, not in that of the module
                names = self.names[:1] if term.has_wildcard and "." not in term.pattern else self.names
                return any(term.matches(name) for name in names)


def tier_word(tier: Tier) -> str:
    """Return what a tier is called in a selection."""
    return tier.name.lower()


TIERS = tuple(map(tier_word, (Tier.MANUAL, Tier.LOOKUP, Tier.IMPORTED, Tier.COMPUTED, Tier.PART)))
"""The tiers by which tables can be selected."""


class Chooser:
    """Tables to choose from.

    Parameters
    ----------
    candidates
        The tables.
    graph
        Gives their foreign keys; called only if a selection needs them.
    failures
        Modules that cannot be used, for the message when nothing is found.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        graph: Callable[[], Graph],
        failures: Sequence[LoadFailure] = (),
    ) -> None:
        self._candidates = candidates
        self._graph = graph
        self._failures = failures

    def choose(self, terms: Iterable[Term], exclude: Iterable[Term] = ()) -> list[Candidate]:
        """Return the tables selected, each once, term after term; those of one term parents first.

        Parameters
        ----------
        terms
            What to select, united; without any, all tables.
        exclude
            What to leave out.

        Raises
        ------
        SelectionError
            If a term matches nothing, if a plain name is that of several tables, or if nothing is left.
        """
        groups = [self._group(term) for term in terms] or [self._candidates]
        out = {each for term in exclude for each in self._group(term)}
        found = dict.fromkeys(each for group in groups for each in group)
        left = [each for each in found if each not in out]
        if found and not left:
            raise SelectionError("everything selected is excluded again: nothing is left")
        return left

    def one(self, term: Term) -> Candidate:
        """Return the one table selected.

        Raises
        ------
        SelectionError
            If there is none, or more than one.
        """
        found = self._group(term)
        if len(found) > 1:
            shown = [candidate.names[0] for candidate in found[:3]] + ["..."] * (len(found) > 3)
            raise SelectionError(
                f"{str(term)!r} selects {len(found)} tables ({', '.join(shown)}), but here goes only one: name it"
            )
        return found[0]

    def _group(self, term: Term) -> Sequence[Candidate]:
        found = [candidate for candidate in self._candidates if candidate.fits(term)]
        if not found:
            raise SelectionError(self._nothing(term))
        if term.by is By.NAME and not term.has_wildcard and len(found) > 1:
            shown = ", ".join(sorted(_distinct_names(found)))
            raise SelectionError(f"table name {term.pattern!r} is ambiguous: write one of {shown}")
        if len(found) == 1 and term.above == term.below == 0:
            return found
        graph = self._graph()
        start = {candidate.id for candidate in found}
        reached = graph.around(start, ancestors=term.above, descendants=term.below)
        rank = {table: place for place, table in enumerate(graph.topological_order(reached, strict=False))}
        relatives, own = reached - start, set(found)
        group = [each for each in self._candidates if each in own or each.id in relatives]
        return sorted(group, key=lambda each: rank[each.id])

    # ---- what to say when nothing is found ----------------------------------------------------------

    def _nothing(self, term: Term) -> str:
        match term.by:
            case By.TIER:
                if term.pattern in TIERS:
                    return f"no table in the pipelines is of tier {term.pattern}{self._maybe_failed()}"
                advice = _or(near(term.pattern, TIERS)) or f" (there are {', '.join(TIERS)})"
                return f"there is no tier {term.pattern!r}{advice}"
            case By.SCHEMA:
                schemas = sorted({candidate.id.schema for candidate in self._candidates})
                advice = _or(near(term.pattern, schemas)) or f" (there are {', '.join(schemas)})"
                return (
                    f"no table in the pipelines is in schema {term.pattern!r}{advice}{self._maybe_failed()}"
                )
            case By.NAME:
                what = "no table matches" if term.has_wildcard else "there is no table"
                advice = _or(self._near(term.pattern.replace("*", ""))) or " - djcli ls lists them"
                return f"{what} {term.pattern!r} in the pipelines{advice}{self._maybe_failed()}"

    def _near(self, name: str) -> list[str]:
        labels = [candidate.names[0] for candidate in self._candidates]
        known = [other for each in self._candidates for other in each.names] if "." in name else labels
        last = name.rpartition(".")[2].casefold()
        same = [label for label in labels if label.rpartition(".")[2].casefold() == last]  # a part, no master
        return list(dict.fromkeys([*same, *near(name, known)]))[:3]

    def _maybe_failed(self) -> str:
        names = " or ".join(failure.module for failure in self._failures)
        return f" (it may be in {names}, which cannot be used)" if names else ""


def _or(names: Sequence[str]) -> str:
    return f" - did you mean {' or '.join(names)}?" if names else ""


def _distinct_names(candidates: Sequence[Candidate]) -> list[str]:
    """Return for each table the shortest name that none of the others has."""
    shown: list[str] = []
    for candidate in candidates:
        others = {name for other in candidates if other is not candidate for name in other.names}
        own = [name for name in candidate.names if name not in others]
        shown.append(own[0] if own else candidate.names[-1])
    return shown


# ---- classes ----------------------------------------------------------------------------------------


def graph_of(tables: Iterable[type[Table]]) -> Graph:
    """Return the graph of the foreign keys of tables, and of those of virtual modules between them."""
    models = {table.model.id: table.model for table in tables}
    instances = {id(table.instance): table.instance for table in tables}
    for instance in instances.values():
        for table, cls in instance.classes.items():
            if table not in models and getattr(cls, "definition", None) is None:
                models[table] = cls.class_model()
    return Graph(models.values())


def select_tables(
    selection: Sequence[str],
    tables: Sequence[type[Table]],
    failures: Sequence[LoadFailure] = (),
    exclude: Sequence[str] = (),
) -> list[type[Table]]:
    """Find the tables selected, each once, term after term; those of one term parents first.

    Parameters
    ----------
    selection
        As users write it; see `parse_terms`. Nothing selects all tables.
    tables
        The tables to look among.
    failures
        Modules that cannot be used, for the message when a name is not found.
    exclude
        A selection of what to leave out.

    Raises
    ------
    SelectionError
        If a term cannot be read or matches nothing, if a plain name is that of several tables, or if nothing
        is left.
    """
    classes = _candidates(tables)
    chooser = Chooser(list(classes), lambda: graph_of(tables), failures)
    return [classes[each] for each in chooser.choose(parse_terms(selection), parse_terms(exclude))]


def named_tables(selection: Sequence[str], tables: Sequence[type[Table]]) -> set[type[Table]]:
    """Return those tables that a selection names themselves, not through a wildcard, a tier or a relative."""
    classes = _candidates(tables)
    plain = [term for term in parse_terms(selection) if term.is_plain]
    return {cls for each, cls in classes.items() if any(each.fits(term) for term in plain)}


def find_table(
    text: str,
    tables: Sequence[type[Table]],
    failures: Sequence[LoadFailure] = (),
    *,
    only_by_name: bool = False,
) -> type[Table]:
    """Find the one table that a text selects.

    Parameters
    ----------
    text
        A selection of one table.
    tables
        The tables to look among.
    failures
        Modules that cannot be used, for the message when a name is not found.
    only_by_name
        Whether it must be the table's name, so that no slip chooses what is changed.

    Raises
    ------
    SelectionError
        If it selects none, or several, or is no name where it must be one.
    """
    classes = _candidates(tables)
    terms = parse_terms([text])
    if len(terms) != 1:
        raise SelectionError(f"{text!r} names {len(terms)} tables, but here goes only one")
    if only_by_name and not terms[0].is_plain:
        raise SelectionError(f"{text!r} is not a table's name: where rows are changed, write the name itself")
    return classes[Chooser(list(classes), lambda: graph_of(tables), failures).one(terms[0])]


def _candidates(tables: Iterable[type[Table]]) -> dict[Candidate, type[Table]]:
    return {Candidate(table.class_id(), table.tier, tuple(names_of(table))): table for table in tables}


def names_of(table: type[Table]) -> Iterable[str]:
    """Return every name that a table answers to, the shortest first."""
    label, module = table.class_label, table.__module__
    last = module.rpartition(".")[2]
    return dict.fromkeys((label, f"{last}.{label}", f"{table.schema.name}.{label}", f"{module}.{label}"))
