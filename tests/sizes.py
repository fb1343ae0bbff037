"""How large a test is: small in the gate (`make test`), full in the long run (`make test-all`)."""

from typing import TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")

LONG = "--long"
"""The option of pytest that asks for the full size of every test."""

_EXAMPLES = {"gate": 40, "long": 500}
_chosen = "gate"

for _name, _examples in _EXAMPLES.items():
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )


def choose(*, long: bool) -> None:
    """Set the size of this run. Called once, before the first test module is imported."""
    global _chosen  # noqa: PLW0603 - one run has one size
    _chosen = "long" if long else "gate"
    settings.load_profile(_chosen)


def sized(gate: T, long: T) -> T:
    """Return the value for the size of this run. Call it while a test module is imported."""
    return long if _chosen == "long" else gate
