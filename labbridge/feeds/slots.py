"""What the listeners of one service share: the caps on connections, and the bytes they have in hand."""

from __future__ import annotations

from collections import Counter, OrderedDict

from labbridge.feeds.limits import Limits

KEPT_FOR_KNOWN = 8  # one slot in so many is kept for known peers
REMEMBERED = 4096
OVER_ADDRESS = "over_address_cap"


class Slots:
    """Connections by address, all listeners together.

    Known peers are those of a feed that lists its peers, and addresses that delivered a message before (the newest 4096).
    An eighth of the slots is kept for them: strangers who hold all the others cannot keep a known sender out.
    """

    def __init__(self, limits: Limits) -> None:
        self.inflight_bytes = 0
        self.connections = 0
        self._limits = limits
        self._total = limits.total()
        self._kept = self._total // KEPT_FOR_KNOWN
        self._by_address: Counter[str] = Counter()
        self._known: OrderedDict[str, None] = OrderedDict()

    def objection(self, address: str, listed: bool) -> str:
        """Why this address gets no slot now; empty where it does. `listed`: its feed names its peers."""
        if self._by_address[address] >= self._limits.connections_per_address:
            return OVER_ADDRESS
        return self.full(address, listed=listed)

    def full(self, address: str, *, listed: bool) -> str:
        """The same whatever this address has already: a load balancer has those of all its peers."""
        return "over_cap" if self.connections >= self._free_to(address, listed) else ""

    def over(self, address: str, listed: bool) -> str:
        """Why an address that took a slot cannot keep it; empty where it can."""
        if self._by_address[address] > self._limits.connections_per_address:
            return OVER_ADDRESS
        return "over_cap" if self.connections > self._free_to(address, listed) else ""

    def _free_to(self, address: str, listed: bool) -> int:
        return self._total if listed or address in self._known else self._total - self._kept

    def take(self, address: str) -> None:
        """A connection of this address is there."""
        self._by_address[address] += 1
        self.connections += 1

    def leave(self, address: str) -> None:
        """It is gone."""
        self.connections -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def delivered(self, address: str) -> None:
        """A message of this address was kept: it is known from now on."""
        self._known[address] = None
        self._known.move_to_end(address)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
