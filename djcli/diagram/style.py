"""The look of diagrams: colours and shapes of the tiers, strokes of the foreign keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from djcli.names import Tier

FONT = "Helvetica"
"""One name only: layout programs measure a list of fonts by other metrics."""

FRAME, TITLE, STROKE, RENAMED = "#C4CAD3", "#5B6573", "#4A5361", "#9A5B00"
"""Colours of a schema's frame and title, of foreign keys, and of those that rename attributes."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the tables of a tier are drawn.

    Attributes
    ----------
    name
        The word for the tier, in listings and as a class name.
    shape, rounded
        The outline in Graphviz's words, and whether a box has round corners.
    fill, stroke, text
        Colours; the hues stay apart for colour-blind eyes, and the shapes differ as well.
    size
        The font size in points.
    """

    name: str
    shape: str
    fill: str
    stroke: str
    text: str
    rounded: bool = False
    size: int = 11


LOOKS: dict[Tier | None, Look] = {
    Tier.MANUAL: Look("manual", "box", "#E4F3EC", "#00845A", "#00432E"),
    Tier.LOOKUP: Look("lookup", "box", "#F1F2F4", "#8A929E", "#3F4650"),
    Tier.IMPORTED: Look("imported", "ellipse", "#E2EFF9", "#0072B2", "#003F63"),
    Tier.COMPUTED: Look("computed", "box", "#FBE7EC", "#C23B63", "#701A35", rounded=True),
    Tier.PART: Look("part", "plaintext", "none", "none", "#3F4650", size=9),
    Tier.JOBS: Look("jobs", "plaintext", "none", "none", "#8A929E", size=9),
    Tier.HIDDEN: Look("hidden", "plaintext", "none", "none", "#8A929E", size=9),
    None: Look("schema", "box3d", "#FFF6DC", "#A8861F", "#574405"),
}
"""The looks by tier; None is a collapsed schema."""


class Kind(Enum):
    """The kinds of foreign keys that a diagram tells apart."""

    ONE_TO_ONE = "one-to-one"
    """The foreign key is the child's whole primary key: a thick line."""
    ONE_TO_MANY = "one-to-many"
    """It is a part of the primary key: a thin line."""
    SECONDARY = "secondary"
    """It lies outside the primary key: a dashed line."""
    BUNDLE = "bundle"
    """It stands for all foreign keys from or to a collapsed schema: a grey line."""
