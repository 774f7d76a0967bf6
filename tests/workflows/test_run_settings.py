"""What a strategy said when a run of it was started, for lists that tell runs apart."""

import asyncio

import pytest

from panel.adapters import TrainingOperationAdapter
from panel.backend.catalogue import Catalogue
from panel.backend.ktrdr import Ktrdr
from panel.domain.events import EventBus, OperationsListed
from panel.workflows.run_settings import AT_ONCE, RunSettings
from panel.workflows.starting import StartWorkflow, new_key
from panel.workflows.strategy_library import StrategyLibrary

pytestmark = pytest.mark.anyio


@pytest.fixture
def tmp_path(tmp_path):
    (tmp_path / "strategies").mkdir()
    return tmp_path


async def test_each_run_has_the_settings_that_it_was_started_with(client, store, tmp_path):
    folder = tmp_path / "strategies"
    file, bus, ktrdr = folder / "swing.yaml", EventBus(), Ktrdr(client)
    library = StrategyLibrary(ktrdr, Catalogue(ktrdr, folder), folder, tmp_path / "files", embedded=False)
    settings, drawn = RunSettings(store, library, bus), asyncio.Event()
    bus.subscribe(OperationsListed, lambda _: drawn.set())
    starts, ids = StartWorkflow(ktrdr, store, bus, library.keep), []
    for period in (14, 21):
        file.write_text(f"name: swing\nindicators: {{rsi: {{type: rsi, period: {period}}}}}\n")
        start = await starts.submit(new_key(), TrainingOperationAdapter("swing"), {"strategy_name": "swing"})
        ids.append(start.operation_id)
    file.write_text("- not read any more")
    reading = asyncio.create_task(settings.run())
    async with asyncio.timeout(20):
        await drawn.wait()
    assert [settings.of(each).get("indicators.rsi.period") for each in ids] == ["14", "21"]
    assert settings.of("op_of_somebody_else") == {}
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_lists_are_drawn_again_once_however_many_runs_are_read(client, store, tmp_path):
    folder = tmp_path / "strategies"
    bus, ktrdr = EventBus(), Ktrdr(client)
    library = StrategyLibrary(ktrdr, Catalogue(ktrdr, folder), folder, tmp_path / "files", embedded=False)
    (folder / "swing.yaml").write_text("name: swing\nindicators: {rsi: {type: rsi, period: 14}}\n")
    starts = StartWorkflow(ktrdr, store, bus, library.keep)
    ids = []
    for _ in range(2):
        start = await starts.submit(new_key(), TrainingOperationAdapter("swing"), {"strategy_name": "swing"})
        ids.append(start.operation_id)
    first, last = ids
    settings, drawn = RunSettings(store, library, bus), asyncio.Event()
    known: list[str | None] = []
    bus.subscribe(
        OperationsListed, lambda _: (known.append(settings.of(last).get("indicators.rsi.period")), drawn.set())
    )
    for wanted in (first, *(f"op_of_others_{n}" for n in range(AT_ONCE)), last):
        settings.of(wanted)
    reading = asyncio.create_task(settings.run())
    async with asyncio.timeout(20):
        await drawn.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert known == ["14"]
