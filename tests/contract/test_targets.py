from plugin.contract import targets
from plugin.contract.targets import DESCRIPTION, TARGETS, Limit


def test_every_limit_has_a_source_and_a_date() -> None:
    limits = {name: value for name, value in vars(targets).items() if isinstance(value, Limit)}
    assert len(limits) > 25
    for limit in limits.values():
        assert limit.number > 0
        assert limit.unit
        assert limit.source
        assert limit.as_of.year >= 2026


def test_every_target_has_a_description_limit() -> None:
    assert set(DESCRIPTION) == set(TARGETS)
