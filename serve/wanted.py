"""What a client asks for in the query of a request."""

import difflib
from collections.abc import Mapping
from typing import Literal, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve.problem import ProblemError

T = TypeVar("T", bound=BaseModel)


class Wanted(BaseModel):
    """The parameters of ``POST /segment``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(default=None, description="a name of /models; left out: the first")
    overlay: bool = Field(default=False, description="the classes' colours over the image, not the class map")
    size: Literal["source", "network"] = Field(default="source", description="the image's own size, or the network's")
    confidence: bool = Field(default=False, description="also how sure the network is, where the bundle tells")
    classes: str | None = Field(
        default=None, description="only these, names or ids with commas between; the rest is the ignored id"
    )
    tolerance: float = Field(
        default=1.0, ge=0, le=100, description="of polygons: how far an outline may be off, in pixels"
    )


def read_query(kind: type[T], query: Mapping[str, str]) -> T:
    """The parameters of a query.

    Raises:
        ProblemError: 422 a parameter that there is not; the message names the nearest.
        RequestValidationError: a value that cannot be.
    """
    for name in query:
        if name not in kind.model_fields:
            near = difflib.get_close_matches(name, kind.model_fields, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(kind.model_fields)}"
            raise ProblemError(422, "invalid-parameter", f"no parameter '{name[:100]}': {hint}")
    try:
        return kind.model_validate(dict(query))
    except ValidationError as error:
        raise RequestValidationError([{**entry, "loc": ("query", *entry["loc"])} for entry in error.errors()]) from None
