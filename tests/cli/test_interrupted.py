"""Ctrl-C before a start's intent is on disk."""

import asyncio
import io
import sqlite3
from contextlib import closing

import pytest
from rich.console import Console

from panel.adapters import KINDS
from panel.backend.ktrdr import Ktrdr
from panel.cli.run_operation import INTERRUPTED, _Run
from panel.client import AsyncCLIClient
from panel.storage.store import Storage

pytestmark = pytest.mark.anyio

FORM = {"strategy_name": "swing"}


async def test_what_was_about_to_be_sent_is_waited_for_and_cancelled(address, backend, tmp_path):
    """The panel is just writing into the memory that both share."""
    said = io.StringIO()
    async with AsyncCLIClient(address) as client:
        with closing(Storage(tmp_path / "panel.db")) as store:
            await store.write(lambda _: None)
            run = _Run(
                Console(file=said), Ktrdr(client), store, KINDS["training"].from_form(FORM), FORM, embedded=False
            )

            async def work() -> int:
                task = asyncio.current_task()
                assert task is not None
                return await run.to_its_end(task)

            with closing(sqlite3.connect(store.path, isolation_level=None)) as panel:
                panel.execute("BEGIN IMMEDIATE")
                task = asyncio.create_task(work())
                while not run.starting.knows(run.key):  # noqa: ASYNC110  nothing tells when
                    await asyncio.sleep(0.01)
                task.cancel()
                for _ in range(9):  # it looks what there is to be taken back
                    await asyncio.sleep(0)
                panel.execute("ROLLBACK")
            assert await task == INTERRUPTED
    assert "Training cancelled." in said.getvalue() and "Nothing was started" not in said.getvalue()
    assert backend.hits["POST /trainings/start"] == 1
    assert [hit for hit in backend.hits if hit.startswith("DELETE /operations/op_")]
