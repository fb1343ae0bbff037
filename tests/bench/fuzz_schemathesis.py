"""A long run of the schema fuzzer against the service; exits with its code.

Usage: fuzz_schemathesis.py [examples [seed]] - about a minute for every 300 examples.
"""

import sys
import tempfile
from pathlib import Path

from tests.clients.schema_fuzzer import fuzz, served


def main(examples: str = "1000", seed: str = "1") -> int:
    with tempfile.TemporaryDirectory() as directory, served(Path(directory)) as (service, key):
        address = f"http://127.0.0.1:{service.address.port}/openapi.json"
        options = ("--max-examples", examples, "--seed", seed)
        run = fuzz(Path(directory), address, key, *options)
    print(run.printed)
    return run.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
