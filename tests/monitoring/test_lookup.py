"""One question for an id that nobody knows, in whatever moment others ask for it too."""

import asyncio

import pytest

from panel.backend.ktrdr import Reading
from panel.errors import APIError
from panel.monitoring.lookup import Lookup

pytestmark = pytest.mark.anyio


async def test_who_comes_just_as_the_answer_arrives_finds_it():
    asked: list[str] = []
    readers: list[asyncio.Task[Reading]] = []

    def come() -> None:
        readers.append(asyncio.create_task(lookup.read("op_a")))

    async def ask(operation_id: str) -> Reading:
        asked.append(operation_id)
        await asyncio.sleep(0)
        if len(asked) == 1:
            asyncio.get_running_loop().call_soon(come)  # its turn is before that of whoever waits for this answer
        return Reading(error=APIError("Operation not found", 404))

    lookup = Lookup(ask)
    first = await lookup.read("op_a")
    second = await readers[0]
    assert asked == ["op_a"] and first is second and second.error is not None and second.error.unknown
    await lookup.read("op_b")
    assert asked == ["op_a", "op_b"]
