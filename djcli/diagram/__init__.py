"""Diagrams of pipelines: choosing tables by graph algebra, drawing them as image, DOT, Mermaid or text."""

from djcli.diagram.diagram import Diagram
from djcli.diagram.source import DiagramSource

__all__ = ["Diagram", "DiagramSource"]
