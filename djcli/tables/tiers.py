"""The tiers whose rows come from outside: `Manual`, `Lookup` and `Part`."""

from __future__ import annotations

from typing import ClassVar

from djcli.names import Tier
from djcli.tables.table import Table

tier_classes: dict[Tier, type[Table]] = {}
"""The base class of each tier; `djcli.populate` adds those it computes."""


class Manual(Table):
    """Rows are entered by hand or by scripts."""

    tier: ClassVar[Tier] = Tier.MANUAL


class Lookup(Table):
    """Rows are part of the pipeline itself: `contents`."""

    tier: ClassVar[Tier] = Tier.LOOKUP


class Part(Table):
    """Rows belong to a row of their master; the class is nested in the master's."""

    tier: ClassVar[Tier] = Tier.PART


tier_classes.update({Tier.MANUAL: Manual, Tier.LOOKUP: Lookup, Tier.PART: Part})
