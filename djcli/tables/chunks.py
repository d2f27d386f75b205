"""Chunks of rows: blocks that give the same attributes, put together to go in one statement."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from djcli.definition.model import TableModel
from djcli.tables.blocks import Block

CHUNK = 20_000
"""Rows in one statement; more go in several, within one transaction.

Rows of a table that refers to itself are not divided so: each may depend on any other.
"""

CHUNK_BYTES = 32_000_000
"""About as many bytes of long values in one statement."""

LONG = frozenset(("json", "bytes", "codec", "native"))
"""Types whose values may be so long that their bytes count."""


@dataclass(eq=False, slots=True)
class Chunk:
    """Rows that go in one statement.

    Attributes
    ----------
    blocks
        The rows, in blocks that give the same attributes.
    data
        The rows as COPY sends them, if they were made ready before it is their turn.
    """

    blocks: list[Block]
    data: memoryview | None = None

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that the rows give."""
        return self.blocks[0].names


class Chunks:
    """Puts blocks that give the same attributes together, up to a number of rows or bytes.

    Attributes
    ----------
    ready
        The chunks to be taken next.
    """

    def __init__(self, model: TableModel, blocks: Iterable[Block], size: int) -> None:
        self.ready: deque[Chunk] = deque()
        self._pieces = (piece for block in blocks for piece in _pieces(block, size))
        self._size = size
        self._long = {attribute.name for attribute in model if attribute.type.name in LONG}
        self._waiting: dict[tuple[str, ...], tuple[list[Block], int, int]] = {}

    def take(self) -> Chunk | None:
        """Return the next chunk; None at the end."""
        while not self.ready:
            if not self.pull():
                break
        return self.ready.popleft() if self.ready else None

    def pull(self) -> bool:
        """Read one more block; False at the end, when all there is has become ready."""
        piece = next(self._pieces, None)
        if piece is None:
            self.ready.extend(Chunk(blocks) for blocks, _, _ in self._waiting.values())
            self._waiting.clear()
            return False
        blocks, rows, octets = self._waiting.pop(piece.names, ([], 0, 0))
        weight = self._weight(piece)
        if blocks and (rows + len(piece) > self._size or octets + weight > CHUNK_BYTES):
            self.ready.append(Chunk(blocks))
            blocks, rows, octets = [], 0, 0
        blocks.append(piece)
        self._waiting[piece.names] = blocks, rows + len(piece), octets + weight
        return True

    def read_ahead(self) -> bool:
        """Read one more block, unless the next chunk is ready; tell whether there may be more to read."""
        return not self.ready and self.pull()

    def _weight(self, block: Block) -> int:
        """Return about how many bytes the long values of a block take."""
        columns = [
            column for name, column in zip(block.names, block.columns, strict=True) if name in self._long
        ]
        return sum(len(value) for column in columns for value in column if isinstance(value, (str, bytes)))


def _pieces(block: Block, size: int) -> Iterator[Block]:
    if len(block) <= size:
        yield block
        return
    for start in range(0, len(block), size):
        yield block.part(slice(start, start + size))


def merged(blocks: list[Block]) -> Block:
    """Return the rows of blocks that give the same attributes as one block."""
    if len(blocks) == 1:
        return blocks[0]
    columns: list[Sequence[object]] = [
        list(chain.from_iterable(parts)) for parts in zip(*(block.columns for block in blocks), strict=True)
    ]
    numbers = list(chain.from_iterable(block.numbers for block in blocks))
    return replace(blocks[0], columns=columns, numbers=numbers)
