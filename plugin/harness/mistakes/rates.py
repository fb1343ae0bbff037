"""How often models make which mistake: the one table, with its source and date."""

from types import MappingProxyType

SOURCE = (
    "48,511 function calls of 25 models in the results that the Berkeley Function Calling "
    "Leaderboard published in August 2024, each judged by its own schema"
)
AS_OF = "2026-11-23"
"""When it was counted."""

_CALLS = 48_511
_SEEN_ONCE = 10_000 / _CALLS
"""The rate of what the same results hold a single time."""

PER_10_000_CALLS = MappingProxyType(
    {
        "missing_required": 23.0,
        "unknown_key": 13.0,
        "wrong_type": 12.0,
        "duplicate_parallel": 11.0,
        "string_for_array": 9.0,  # 91 in 15,790 calls of gpt-oss, by the fourth edition
        "null_for_optional": 8.0,
        "bool_as_string": 7.0,
        "enum_invented": 5.0,
        "word_for_number": 5.0,
        "enum_case": 3.5,
        "not_json": 3.3,
        "unknown_function": 1.9,
        "number_as_string": 1.4,
        "near_miss_key": 0.4,
        "wrapped": _SEEN_ONCE,
        # Not counted apart: the schemas of that benchmark hardly state any.
        "constraint": _SEEN_ONCE,
    }
)
"""Mistakes by name, the commonest first; the names are the judge's, and `wrapped`."""
