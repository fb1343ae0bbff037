"""A long run of the schema fuzzer against the GPT API; exits with its code.

Usage: fuzz_schemathesis_v1.py [examples [seed [engine]]] - 20 examples take ten minutes; the engine
is `none` (a stand-in for an upstream answers, at once) or `embedded` (slower by far).
"""

import sys
import tempfile
from pathlib import Path

from tests.clients.gpt_service import serving_gpt
from tests.clients.schema_fuzzer import V1, fuzz
from tests.clients.stand_in import settings_for, stand_in


def main(examples: str = "20", seed: str = "1", engine: str = "none") -> int:
    options = ("--max-examples", examples, "--seed", seed)
    with stand_in() as url, tempfile.TemporaryDirectory() as directory:
        settings = settings_for(url) if engine == "none" else {}
        with serving_gpt(Path(directory), settings) as gpt:
            address = f"{gpt.base_url}/openapi.json"
            run = fuzz(Path(directory), address, gpt.key, *options, config=V1)
    print(run.printed)
    return run.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
