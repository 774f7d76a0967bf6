"""Clients that each poll one operation, as KTRDR's command line does.

python -m bench.pollers PORT CLIENTS
"""

import asyncio
import sys

from panel.client import AsyncCLIClient

PAUSE = 0.3  # seconds between an answer and the next question


async def poll(address: str) -> None:
    async with AsyncCLIClient(address) as client:
        while True:
            await client.get("/operations/op_0")
            await asyncio.sleep(PAUSE)


async def main() -> None:
    await asyncio.gather(*(poll(f"http://127.0.0.1:{sys.argv[1]}/api/v1") for _ in range(int(sys.argv[2]))))


if __name__ == "__main__":
    asyncio.run(main())
