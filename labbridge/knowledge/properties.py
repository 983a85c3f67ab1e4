"""What must hold of the rows in every combination (clinical.md C9), as the records of properties.yaml: what each asks.

How the rows are read is in `said.py`; which combinations are looked at, in `prove.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from labbridge.knowledge.combinations import Facts
from labbridge.knowledge.decisions import Decisions
from labbridge.knowledge.documents import Fault, by_key, read_records

__all__ = ["Decisions", "Facts", "Fault", "Iterator", "Sequence", "by_key", "msgspec", "read_records"]
