"""Answers that leave out the operation's id are about the operation that was asked for."""

import httpx
import pytest

from panel.adapters import DummyOperationAdapter
from panel.client import AsyncCLIClient

pytestmark = pytest.mark.anyio


async def test_a_polled_answer_without_an_id_is_read():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"success": True, "data": {"operation_id": "op_a"}})
        return httpx.Response(200, json={"data": {"status": "completed", "result_summary": {"n": 1}}})

    async with AsyncCLIClient("http://backend/api/v1", transport=httpx.MockTransport(answer)) as cli:
        result = await cli.execute_operation(DummyOperationAdapter(), poll_interval=0.01)
        assert cli.config.base_url == "http://backend/api/v1" and cli.config.timeout == 30.0
    assert (result["status"], result["operation_id"]) == ("completed", "op_a")
