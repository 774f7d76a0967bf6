"""Strategy files that are viewed and edited in the browser, and what a start used.

With the embedded backend, people's files are in its own folder, and a file there comes before a starter of its name.
With a KTRDR they are in its folder, where the panel has it; without that folder nothing but names is known.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from panel.backend.catalogue import Catalogue
from panel.backend.decoding import line
from panel.backend.ktrdr import Ktrdr
from panel.backend.strategies import of_file
from panel.domain.requests import Start
from panel.domain.strategies import Issue
from panel.domain.strategy_content import Remark, Review
from panel.errors import APIError, CLIClientError
from panel.files.started_strategies import Kept, StartedStrategies
from panel.files.strategy_folder import StrategyFolder
from panel.files.strategy_lines import line_in, line_of
from panel.files.strategy_yaml import MAX_BYTES, Refused, parse
from panel.files.uploaded_strategies import UploadedStrategies

KEEP_WITHIN = 2.0  # seconds that a start waits for its strategy to be kept

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """`own`: a file of the folder that is written to; others are read only, such as the starters."""

    text: str
    own: bool


class StrategyLibrary:
    """`data` is the panel's own folder. `folder` is None where the backend's cannot be read."""

    def __init__(self, ktrdr: Ktrdr, catalogue: Catalogue, folder: Path | None, data: Path, *, embedded: bool) -> None:
        self._ktrdr = ktrdr
        self._catalogue = catalogue
        self._embedded = embedded
        self.uploads = UploadedStrategies(data / "strategy-uploads")
        self._started = StartedStrategies(data / "started-strategies")
        self.folder = StrategyFolder(folder, data / "strategy-versions") if folder else None

    def trouble(self) -> str:
        """Why nothing can be saved: a clause, or ""."""
        return self.folder.trouble() if self.folder else "the backend's folder of strategies is not at hand"

    async def find(self, name: str) -> Found | None:
        """None for a strategy whose file cannot be read. Raises Refused for a file that cannot be read, and
        CLIClientError when the embedded backend does not answer."""
        text = await asyncio.to_thread(self.folder.text, name) if self.folder else None
        if text is not None:
            return Found(text, True)
        text = await self._ktrdr.strategy_text(name) if self._embedded else None
        return None if text is None else Found(text, False)

    async def review(self, name: str, text: str) -> Review:
        """The text's YAML, its parts, and what the backend finds in it."""
        if len(text.encode()) > MAX_BYTES:
            return Review((Remark("It is larger than 256 kB."),))
        try:
            content = await asyncio.to_thread(parse, text)
        except Refused as exc:
            message = line(str(exc))
            return Review((Remark(f"{message[:1].upper()}{message[1:]}.", line_in(message)),))
        read = of_file(content, name)
        issues, by = await self._issues(text)
        if not by and read.problem:
            issues = [*issues, Issue(read.problem)]
        if name and read.title and read.title != name:
            message = f"It calls itself “{read.title}”, and its file is “{name}”: runs may carry either name."
            issues.append(Issue(message, "name", error=False))
        lines = await asyncio.to_thread(lambda: [line_of(text, issue.place) if issue.place else 0 for issue in issues])
        remarks = [Remark(line(issue.message), at, issue.error) for issue, at in zip(issues, lines, strict=True)]
        return Review(tuple(sorted(remarks, key=lambda remark: (not remark.error, remark.line))), by)

    async def save(self, name: str, text: str, opened: str) -> Review:
        """Save it if it is valid; returns its review. Raises Changed, and Refused (a clause about the file)."""
        review = await self.review(name, text)
        if review.valid:
            await asyncio.to_thread(self._folder().save, name, text, opened)
            self._catalogue.strategies_changed()
        return review

    async def delete(self, name: str, opened: str) -> str:
        """The version that is kept of it. Raises Changed and Refused."""
        kept = await asyncio.to_thread(self._folder().delete, name, opened)
        self._catalogue.strategies_changed()
        return kept

    async def undelete(self, name: str, version: str) -> None:
        """As it was, valid or not. Raises Changed when there is a file of this name, and Refused."""
        folder = self._folder()
        text = await asyncio.to_thread(folder.version, name, version)
        if text is None:
            raise Refused("this version is not kept any more")
        await asyncio.to_thread(folder.save, name, text, "")
        self._catalogue.strategies_changed()

    async def keep(self, start: Start) -> None:
        """Keep the strategy of a start as it is now. Never raises, and never takes longer than KEEP_WITHIN."""
        name = start.form.get("strategy_name", "")
        if not name:
            return
        try:
            async with asyncio.timeout(KEEP_WITHIN):
                if found := await self.find(name):
                    await asyncio.to_thread(self._started.keep, start.key, name, found.text)
        except (Refused, CLIClientError, OSError) as exc:  # a timeout is an OSError
            log.warning("the strategy of a start is not kept: %s", exc)

    async def started_with(self, key: str) -> Kept | None:
        """The strategy that was kept with the start of this key. Raises Refused."""
        return await asyncio.to_thread(self._started.of, key)

    def _folder(self) -> StrategyFolder:
        if self.folder is None:
            raise Refused(self.trouble())
        return self.folder

    async def _issues(self, text: str) -> tuple[list[Issue], str]:
        """What the backend finds, and who that is; "" when it cannot be asked."""
        try:
            if self._embedded:
                return await self._ktrdr.issues_in_text(text), "the embedded backend"
            if self.folder is None or self.folder.trouble():
                return [], ""
            # A KTRDR only checks files of its folder.
            draft = await asyncio.to_thread(self.folder.draft, text)
            try:
                return await self._ktrdr.issues_in_file(draft.stem), "KTRDR"
            finally:
                await asyncio.to_thread(draft.unlink, missing_ok=True)
        except APIError as exc:
            message = "KTRDR does not see this folder" if exc.status_code == 404 else exc.message
        except (CLIClientError, OSError) as exc:
            message = str(exc)
        return [Issue(f"The backend has not checked it: {message}", error=False)], ""
