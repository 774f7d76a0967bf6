"""Which kinds of operation the backend has. A kind that not every backend has is checked now and then, and only offered
where the backend answered."""

import asyncio

from panel.adapters import KINDS
from panel.backend.ktrdr import Ktrdr
from panel.errors import CLIClientError

INTERVAL = 60.0  # seconds
FIRST_INTERVAL = 5.0  # until the backend has answered once


class Offers:
    """Start with `run` in a task. `kinds`: those that can be started, as far as that is known."""

    def __init__(self, ktrdr: Ktrdr, *, embedded: bool) -> None:
        self._ktrdr = ktrdr
        self._asked = () if embedded else tuple(kind for kind, adapter in KINDS.items() if adapter.offered_at)
        self.kinds = frozenset(kind for kind, adapter in KINDS.items() if not adapter.offered_at)

    async def run(self) -> None:
        """Until cancelled; ends at once where there is nothing to ask."""
        while self._asked:
            known = await self.look()
            await asyncio.sleep(INTERVAL if known else FIRST_INTERVAL)

    async def look(self) -> bool:
        """Ask now; whether the backend answered. While it does not, what was known stays."""
        for kind in self._asked:
            try:
                has = await self._ktrdr.has(KINDS[kind].offered_at)
            except CLIClientError:
                return False
            self.kinds = self.kinds | {kind} if has else self.kinds - {kind}
        return True
