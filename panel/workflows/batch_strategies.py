"""The strategy files of a batch: one for each combination of settings, beside the original. Of a batch that could start
none of its runs, those that it made and that nobody uses or has changed since are removed again."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from panel.backend.catalogue import Catalogue
from panel.errors import CLIClientError, InvalidForm
from panel.files.made_strategies import MadeStrategies
from panel.files.strategy_folder import Changed, digest
from panel.files.strategy_yaml import Refused
from panel.storage.store import Storage
from panel.workflows.batch_form import PlannedBatch, variant_text
from panel.workflows.strategy_library import StrategyLibrary
from panel.workflows.strategy_uses import uses_of

REMOVED = "The strategy files that were made for it were removed again."

log = logging.getLogger(__name__)


class BatchStrategies:
    def __init__(self, storage: Storage, library: StrategyLibrary, catalogue: Catalogue, data: Path) -> None:
        """`data` is the panel's own folder."""
        self._storage = storage
        self._library = library
        self._catalogue = catalogue
        self._records = MadeStrategies(data / "made-strategies")
        self._made: dict[str, dict[str, str]] | None = None  # batch -> its files; None until it was read

    @property
    def untidy(self) -> bool:
        """Whether there are, or may be, files that may have to be removed."""
        return self._made is None or bool(self._made)

    async def make(self, key: str, strategy: str, text: str, planned: PlannedBatch) -> None:
        """The files of the variants. One that is there with the same text is used as it is. Raises InvalidForm, and
        then none of them is left."""
        if not planned.variants:
            return
        if trouble := self._library.trouble():
            why = (
                f"Variants of the strategy are files beside it, and {trouble}. Vary symbols, timeframes or dates only."
            )
            raise InvalidForm({"": f"{why[:1].upper()}{why[1:]}"})
        try:
            for name, changes in planned.variants.items():
                await self._make(key, name, text, changes)
        except InvalidForm as exc:
            if await self.take_back(key):
                raise InvalidForm({"": f"{exc.errors['']} {REMOVED}"}) from exc
            raise

    async def take_back(self, key: str) -> list[str]:
        """Remove what was just made for a batch that is not begun; returns the strategies."""
        made = (await self._all()).pop(key, {})
        removed = [name for name, text in made.items() if not await self._used(name) and await self._remove(name, text)]
        await asyncio.to_thread(self._records.drop, key)
        return removed

    async def tidy(self) -> tuple[list[str], bool]:
        """Remove the files of batches that have ended without any run that was started. Returns these batches, and
        whether some are left, for whose files it is not known yet whether they are used."""
        tidied: list[str] = []
        for key, made in list((await self._all()).items()):
            runs = self._storage.batches.runs(key)
            if any(run.operation_id for run in runs):
                self._forget(key)
                await asyncio.to_thread(self._records.drop, key)
            elif not any(run.open for run in runs):
                unused = []
                for name in made:
                    if (used := await self._used(name)) is None:
                        return tidied, True
                    if not used:
                        unused.append(name)
                removed = [name for name in unused if await self._remove(name, made[name])]
                self._forget(key)
                await self._keep(key, {}, removed)
                tidied.append(key)
        return tidied, False

    async def removed(self, key: str) -> list[str]:
        """The strategies whose files were removed, as none of the batch's runs was started."""
        return await asyncio.to_thread(self._records.removed, key)

    async def _all(self) -> dict[str, dict[str, str]]:
        if self._made is None:
            self._made = await asyncio.to_thread(self._records.all)
        return self._made

    def _forget(self, key: str) -> None:
        if self._made is not None:
            self._made.pop(key, None)

    async def _keep(self, key: str, made: Mapping[str, str], removed: list[str]) -> None:
        try:
            await asyncio.to_thread(self._records.keep, key, made, removed)
        except OSError as exc:
            log.warning("which strategy files a batch made is not kept: %s", exc)

    async def _used(self, name: str) -> bool | None:
        """Whether anything was started or is to start with this strategy, or a model is of it; None while the backend
        does not say."""
        if any(start.form.get("strategy_name", "").strip() == name for start in self._storage.unanswered_starts()):
            return True
        uses = await uses_of(self._storage, self._catalogue, [name])
        if uses.needed or uses.runs or uses.models:
            return True
        return None if uses.models is None else False

    async def _remove(self, name: str, made: str) -> bool:
        """Unless it is another text now. A version of it is kept, as of every file that is deleted."""
        try:
            await self._library.delete(name, made)
        except Changed:
            return False
        except Refused as exc:
            log.warning("the strategy file %r of a batch is not removed: %s", name, exc)
            return False
        log.info("removed the strategy file %r: no run of its batch was started", name)
        return True

    async def _make(self, key: str, name: str, text: str, changes: Mapping[str, str]) -> None:
        try:
            wanted = variant_text(text, name, changes)
            with suppress(Refused, CLIClientError):
                if (found := await self._library.find(name)) is not None and found.text == wanted:
                    return
            review = await self._library.save(name, wanted, "")
        except Refused as exc:
            raise InvalidForm({"": f"The variant {name} cannot be made: {exc}."}) from exc
        except Changed as exc:
            if exc.now == wanted:  # the same batch, sent twice
                return
            there = f"There is another file named {name}: rename or delete it, or vary something else."
            raise InvalidForm({"": there}) from exc
        if not review.valid:
            first = next((remark.message for remark in review.remarks if remark.error), "")
            raise InvalidForm({"": f"The variant {name} is no valid strategy: {first}"})
        made = (await self._all()).setdefault(key, {})
        made[name] = digest(wanted)
        await self._keep(key, made, [])
