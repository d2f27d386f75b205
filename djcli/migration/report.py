"""The plan in words: grouped by table, each change with its mark, its risk and its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from djcli.migration.plan import Plan, PlannedChange
from djcli.migration.risk import Risk
from djcli.names import counted


def lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that tell of a plan, ending with a summary; nothing for a plan without changes.

    A table's name stands above its changes, or before its only one; each has its mark (``+ - ~``, ``=`` for a
    note), and what is not safe says so, with the reason.
    """
    groups: dict[str, list[PlannedChange]] = {}
    for each in plan.changes:
        groups.setdefault(each.change.title, []).append(each)
    for name, members in groups.items():
        if len(members) == 1:
            yield from _told(members[0], "", f"{name}: ")
            continue
        yield name
        for each in members:
            yield from _told(each, "  ", "")
    if plan.offer:
        total = sum(rows.number for rows in plan.offer.values())
        about = "about " if any(rows.estimated for rows in plan.offer.values()) else ""
        names = ", ".join(str(table) for table in plan.offer)
        yield f"--recompute drops and declares anew: {names} ({about}{counted(total, 'row')} to compute again)"
    if plan.work:
        yield summary(plan)


def _told(planned: PlannedChange, indent: str, name: str) -> Iterator[str]:
    yield f"{indent}{planned.change.mark} {name}{planned.change.describe()}{_verdict(planned)}"
    if planned.hint:
        yield f"{indent}    {planned.hint}"


def summary(plan: Plan) -> str:
    """Return how many changes there are of each risk."""
    numbers = {risk: sum(each.risk is risk for each in plan.work) for risk in Risk}
    told = ", ".join(f"{number} {risk.value}" for risk, number in numbers.items() if number)
    return f"{counted(len(plan.work), 'change')}: {told}"


def _verdict(planned: PlannedChange) -> str:
    verdict = planned.verdict
    told = [verdict.reason] if verdict.reason else []
    if verdict.rows is not None and str(verdict.rows) not in verdict.reason:
        told.append(str(verdict.rows))
    risk = "" if verdict.risk is Risk.SAFE else verdict.risk.value.upper()
    text = ", ".join(told)
    if risk:
        text = f"{risk}: {text}" if text else risk
    return f"  ({text})" if text else ""


def script_text(plan: Plan) -> Iterable[str]:
    """Yield the plan as SQL that can be run elsewhere: one transaction, what is blocked as remarks in front."""
    for each in plan.work:
        if each.risk is not Risk.SAFE:
            reason = " ".join(each.verdict.reason.split())
            yield f"-- {each.risk.value}: {each.change.title}: {' '.join(each.change.describe().split())}: {reason}"
    if plan.steps:
        yield "BEGIN;"
        for statement in plan.statements:
            yield f"{statement};"
        yield "COMMIT;"
