"""`/v1/usage`: calls and tokens of a day as the old dashboard read them, or of a span of days."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from plugin.auth.caller import EVERYTHING, Caller
from plugin.errors import InvalidRequest, MissingScope
from plugin.ledger.reader import LedgerReader
from plugin.operations import CurrentCaller, Now, QueryArguments, operation

router = APIRouter(prefix="/v1/usage", tags=["usage"])

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECOND = 1_000
_BUCKET = 5 * 60 * _SECOND
_DAY = 24 * 60 * 60 * _SECOND
_MOST_DAYS = 366
_OPERATIONS: Mapping[str, str] = {
    "create_chat_completion": "completion",
    "create_engine_chat_completion": "completion",
    "create_completion": "completion",
    "create_engine_completion": "completion",
    "create_edit": "edit",
    "create_engine_edit": "edit",
    "create_embedding": "embeddings",
    "create_engine_embedding": "embeddings",
    "create_moderation": "moderation",
    "create_image": "images/generations",
    "create_image_edit": "images/edits",
    "create_image_variation": "images/variations",
}
"""What the dashboard called an endpoint; others keep their operation id."""

Row = Mapping[Any, Any]


def _written_out(given: Any) -> Any:
    """Refuse what else pydantic takes for a date: seconds since 1970, and midnights."""
    if isinstance(given, str) and not _DATE.fullmatch(given):
        raise PydanticCustomError("date_parsing", "A date is written as 2026-11-23.")
    return given


# a field called date would hide the class
Day = Annotated[date, BeforeValidator(_written_out)]


class AskUsage(QueryArguments):
    """Which calls to sum up: those of a `date`, or from `start_date` to `end_date`, in UTC."""

    date: Day | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    all: bool = False


class _Usage(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Sums(_Usage):
    """Requests and tokens."""

    n_requests: int
    n_context_tokens_total: int
    "Tokens that went in."
    n_generated_tokens_total: int
    "Tokens that came out."


class UsageOfFiveMinutes(Sums):
    """What a model took within five minutes."""

    aggregation_timestamp: int
    operation: str
    snapshot_id: str
    "The model by its own name, whichever alias was asked for."
    answered_by: str | None


class ImagesOfFiveMinutes(_Usage):
    """Requests for images within five minutes; how many images each made is not recorded."""

    timestamp: int
    num_requests: int
    model_id: str
    operation: str


class UsageOfDate(_Usage):
    """A day as the dashboard of 2023 read it; nothing costs anything here."""

    object: Literal["list"] = "list"
    data: list[UsageOfFiveMinutes]
    ft_data: list[dict[str, Any]] = []
    dalle_api_data: list[ImagesOfFiveMinutes]
    whisper_api_data: list[dict[str, Any]] = []
    tts_api_data: list[dict[str, Any]] = []
    assistant_code_interpreter_data: list[dict[str, Any]] = []
    retrieval_storage_data: list[dict[str, Any]] = []
    current_usage_usd: float = 0.0


class UsageOfModel(Sums):
    """What one model took in a day or a month."""

    period: str
    "A day (2026-11-23) or a month (2026-11)."
    model: str
    "The model by its own name, whichever alias was asked for."


class UsageOfSpan(_Usage):
    """Sums of a span of days, both ends included."""

    object: Literal["list"] = "list"
    start_date: date
    end_date: date
    data: list[UsageOfModel]
    "By day and model."
    months: list[UsageOfModel]
    "By month and model, as far as its days lie within the span."
    total: Sums


@router.get("", operation_id="get_usage", summary="Usage of models")
@operation(scope="usage:read", raises=(InvalidRequest, MissingScope))
async def get_usage(
    query: Annotated[AskUsage, Query()], request: Request, caller: CurrentCaller, now: Now
) -> UsageOfDate | UsageOfSpan:
    """Calls and tokens of this key's owner, today's unless `date` or a span is given.

    A key with every scope may ask for `all` callers.
    """
    ledger: LedgerReader = request.app.state.services.usage
    whose = _whose(query, caller)
    if query.start_date is None and query.end_date is None:
        day = query.date or now.date()
        rows = await ledger.sums(_start(day), _start(day) + _DAY, _BUCKET, whose)
        return _of_date(rows)
    first, last = _span(query, now.date())
    rows = await ledger.sums(_start(first), _start(last) + _DAY, _DAY, whose)
    return _of_span(rows, first, last)


def _whose(query: AskUsage, caller: Caller) -> str | None:
    if not query.all:
        return caller.id
    if EVERYTHING not in caller.scopes:
        raise MissingScope(
            "`all` shows the usage of every key, so it needs a key with every scope (*); without "
            "`all` you get your own."
        )
    return None


def _span(query: AskUsage, today: date) -> tuple[date, date]:
    if query.date is not None or query.start_date is None:
        raise InvalidRequest(
            "Give `date` alone, or `start_date` with or without `end_date`.",
            param="date" if query.date is not None else "start_date",
        )
    first, last = query.start_date, query.end_date or max(today, query.start_date)
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise InvalidRequest(
            f"`end_date` must lie 0 to {_MOST_DAYS - 1} days behind `start_date`.", param="end_date"
        )
    return first, last


def _start(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _SECOND


def _of_date(rows: Iterable[Row]) -> UsageOfDate:
    texts: list[UsageOfFiveMinutes] = []
    images: list[ImagesOfFiveMinutes] = []
    for row in rows:
        moment, model = row["start"] // _SECOND, row["model"]
        named = _OPERATIONS.get(row["action"], row["action"])
        if named.startswith("images/"):
            images.append(
                ImagesOfFiveMinutes(
                    timestamp=moment, num_requests=row["calls"], model_id=model, operation=named
                )
            )
            continue
        texts.append(
            UsageOfFiveMinutes(
                aggregation_timestamp=moment,
                operation=named,
                snapshot_id=model,
                answered_by=row["answered_by"],
                **_sums([row]),
            )
        )
    return UsageOfDate(data=texts, dalle_api_data=images)


def _of_span(rows: Sequence[Row], first: date, last: date) -> UsageOfSpan:
    return UsageOfSpan(
        start_date=first,
        end_date=last,
        data=_by_period(rows, "%Y-%m-%d"),
        months=_by_period(rows, "%Y-%m"),
        total=Sums(**_sums(rows)),
    )


def _by_period(rows: Iterable[Row], form: str) -> list[UsageOfModel]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        day = datetime.fromtimestamp(row["start"] // _SECOND, UTC)
        groups.setdefault((day.strftime(form), row["model"]), []).append(row)
    return [
        UsageOfModel(period=period, model=model, **_sums(group))
        for (period, model), group in sorted(groups.items())
    ]


def _sums(rows: Iterable[Row]) -> dict[str, int]:
    found = list(rows)
    return {
        "n_requests": sum(row["calls"] for row in found),
        "n_context_tokens_total": sum(row["tokens_in"] for row in found),
        "n_generated_tokens_total": sum(row["tokens_out"] for row in found),
    }
