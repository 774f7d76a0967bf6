"""A scripted backend in a process of its own.

python -m bench.backend PORT
"""

import sys

import uvicorn

from tests.scripted import Backend

if __name__ == "__main__":
    uvicorn.run(Backend().app, port=int(sys.argv[1]), log_level="warning", access_log=False)
