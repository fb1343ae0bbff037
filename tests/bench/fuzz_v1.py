"""A long run of changed bodies against the GPT API; prints how often each status was answered.

Usage: fuzz_v1.py [count [seed]] - 10,000 take a quarter of an hour.
"""

import sys
import tempfile
from pathlib import Path

from tests.clients.gpt_service import engine_state, serving_gpt
from tests.clients.test_mutated_bodies import send_all


def main(count: str = "10000", seed: str = "1") -> int:
    with tempfile.TemporaryDirectory() as directory, serving_gpt(Path(directory)) as gpt:
        seen = send_all(gpt, int(count), int(seed))
        print(dict(sorted(seen.items())), "engine", engine_state(Path(directory)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
