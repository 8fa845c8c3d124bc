"""Nothing enters; what every section of a config is leaves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

LARGEST_SEED = 2**32 - 1  # of NumPy and scikit-learn


class Section(BaseModel):
    """One section of the config: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_an_empty_section(cls, data: Any) -> Any:
        return {} if data is None else data
