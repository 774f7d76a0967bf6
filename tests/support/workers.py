"""Workers as the backend lists them."""

from tests.support.scripted import stamp

NOW = 1_800_000_000.0


def worker(name, status="available", operation_id=None, kind="training", heard=0.0, failures=0, **more):
    return {
        "worker_id": name,
        "worker_type": kind,
        "endpoint_url": "http://127.0.0.1:5005",
        "status": status,
        "current_operation_id": operation_id,
        "capabilities": {"gpu": False},
        "last_health_check": stamp(),
        "last_healthy_at": stamp(NOW - heard),
        "health_check_failures": failures,
        "metadata": {},
    } | more
