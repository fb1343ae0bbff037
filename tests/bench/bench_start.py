"""How long it takes from the start of a process to its first answer, and to `plugin --help`."""

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

COMMAND = [sys.executable, "-m", "plugin"]


def first_answer(directory: Path) -> float:
    """Seconds from the start of `plugin serve` to the end of its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PLUGIN_DATA_DIR": str(directory), "PLUGIN_PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "serve"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            if process.poll() is not None:
                raise SystemExit("the service ended")
            time.sleep(0.002)
        return time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except ConnectionError:
        return False
    finally:
        connection.close()


def run(*arguments: str) -> float:
    """Seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure, and print the medians in seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        fresh = [first_answer(Path(name) / str(number)) for number in range(rounds)]
        again = [first_answer(Path(name) / "0") for _ in range(rounds)]
        os.environ["PLUGIN_DATA_DIR"] = str(Path(name) / "0")
        listed = [run("keys", "list") for _ in range(rounds)]
    helped = [run("--help") for _ in range(rounds)]
    report = {
        "first_answer_on_a_new_database": fresh,
        "first_answer": again,
        "keys_list": listed,
        "help": helped,
    }
    medians = {what: round(statistics.median(seconds), 3) for what, seconds in report.items()}
    print(orjson.dumps(medians, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
