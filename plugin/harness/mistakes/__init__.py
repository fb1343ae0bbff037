"""The mistakes that models make in calls: each as a function that makes it in a good one."""

from collections.abc import Mapping
from types import MappingProxyType

from plugin.harness.faults import FaultKind
from plugin.harness.mistakes import keys, limits, texts, values
from plugin.harness.mistakes.slip import Good, Mistake, Slip, Undo

__all__ = ["MISTAKES", "Good", "Mistake", "Slip", "Undo"]

MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    {
        "missing_required": keys.missing_required,
        "unknown_key": keys.unknown_key,
        "wrong_type": values.everywhere(FaultKind.WRONG_TYPE, values.wrong_type),
        "duplicate_parallel": texts.duplicate_parallel,
        "string_for_array": values.everywhere(FaultKind.STRING_FOR_ARRAY, values.string_for_array),
        "null_for_optional": keys.null_for_optional,
        "bool_as_string": values.everywhere(FaultKind.BOOL_AS_STRING, values.bool_as_string),
        "enum_invented": values.everywhere(FaultKind.ENUM_INVENTED, values.enum_invented),
        "word_for_number": values.everywhere(FaultKind.WORD_FOR_NUMBER, values.word_for_number),
        "enum_case": values.everywhere(FaultKind.ENUM_CASE, values.enum_case),
        "not_json": texts.not_json,
        "unknown_function": texts.unknown_function,
        "number_as_string": values.everywhere(FaultKind.NUMBER_AS_STRING, values.number_as_string),
        "near_miss_key": keys.near_miss_key,
        "wrapped": keys.wrapped,
        "constraint": values.everywhere(FaultKind.CONSTRAINT, limits.constraint),
    }
)
"""By the name that `rates` gives it."""
