"""The words of the user's own SQL, which tell where a bare name could mean the wrong column.

What a word means is PostgreSQL's to say. We only have to make sure that no more columns are in its sight
than the attributes of the relation that the user wrote it for.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W\d]\w*")


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """Return every word of a text, in lower case: the names of attributes it mentions are among them."""
    return frozenset(_WORD.findall(text.lower()))
