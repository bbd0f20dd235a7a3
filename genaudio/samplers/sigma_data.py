"""The standard deviation of the data, as a field of solvers that depend on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

SigmaData = Annotated[float, Field(gt=0)] | Literal["auto"]


def number(sigma_data: SigmaData) -> float:
    """Its value; where it is auto and the solver was not fitted, EDM's."""
    return 0.5 if sigma_data == "auto" else sigma_data
