"""No request waits for a thread of the loop's own executor, which all kinds of work would share."""

import re
from pathlib import Path

import plugin

ROOT = Path(plugin.__file__).parent
SHARED = re.compile(r"asyncio\.to_thread\b|run_in_executor\(\s*None\b|\brun_in_threadpool\b")

EXCEPTIONS = {
    "app.py": "the traces are closed once, after the last request",
    "ledger/opening.py": "the ledger's writer is closed once, after the last request",
    "transports/passing_reply.py": "a command of one user, not the service",
}


def test_work_of_requests_runs_in_bounded_pools() -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if SHARED.search(path.read_text("utf-8"))
    }
    assert users == set(EXCEPTIONS), "use a pool of plugin/pools/opening.py, or give a reason here"
