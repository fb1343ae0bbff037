"""One key takes all it can of threads, connections and processors; another key must not notice.

`python -m tests.bench.chaos_pools`

Each attack has a service of its own. Prints what the attacker and the victim were answered; exit
code 1 when the victim waited longer than promised, or when anyone was answered with a 500.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.attacks.flood import flood
from tests.attacks.pools import ATTACKS, Attack, Sizes, scene
from tests.attacks.victims import Victims
from tests.bench.promises import Promises


def run(promises: Promises, attack: Attack, sizes: Sizes, settings: dict[str, str]) -> None:
    """One attack, and what came of it."""
    print(f"{attack.name}: {sizes.connections} connections for {sizes.seconds:.0f} s")
    with tempfile.TemporaryDirectory() as place, scene(Path(place), sizes, settings) as on:
        requests = attack.requests(on.attacker, sizes)
        with Victims(on.port, on.victim, chat=on.chat) as victims:
            told = asyncio.run(
                flood(
                    on.port,
                    requests,
                    sizes.connections,
                    sizes.seconds,
                    leave_after=attack.leave_after,
                )
            )
    promises.tell(f"attacker: {dict(told.statuses)}, longest {told.longest:.1f} s")
    unexpected = sum(count for status, count in told.statuses.items() if status in {500, 502, 504})
    promises.none("attacker's calls with a 500", unexpected)
    without = told.retry_after - {"1"}
    promises.check("Retry-After of each 503", sorted(map(str, without)), "1", kept=not without)
    victims.tell(promises)


def main(arguments: Sequence[str] | None = None) -> None:
    """All attacks, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = {attack.name: attack for attack in ATTACKS}
    parser.add_argument("attacks", nargs="*", default=list(names), help="; ".join(names))
    parser.add_argument("--connections", type=int, default=250)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--engine", default="embedded", help="embedded, or none: without chats")
    given = parser.parse_args(arguments)
    sizes = Sizes(connections=given.connections, seconds=given.seconds)
    settings = {"PLUGIN_WORKERS": str(given.workers), "PLUGIN_ENGINE": given.engine}
    promises = Promises()
    for name in given.attacks:
        run(promises, names[name], sizes, settings)
    promises.end()


if __name__ == "__main__":
    main()
