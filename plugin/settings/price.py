"""A price, as an operator writes it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Units = Annotated[int, Field(ge=0, le=10**12)]


class Price(BaseModel):
    """Units for a million tokens in, for a million tokens out, and for each call."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tokens_in: Units = Field(default=0, alias="in")
    tokens_out: Units = Field(default=0, alias="out")
    call: Units = 0
