"""Settings of the table that says by which names the news call the companies behind the tickers."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from MLOps.settings.stage_settings import Settings

Word = Annotated[str, Field(min_length=1)]
NAME = "{name}"
ELLIPSIS = "..."
_CONTEXT = re.compile(r"[^\s{}]+")


class Company(Settings):
    """How the news name one company."""

    tickers: tuple[Word, ...] = Field(
        min_length=1, description="Its tickers in the data, former ones too; `$AAPL` and `NASDAQ: AAPL` name it."
    )
    names: tuple[Word, ...] = Field(
        min_length=1, description="Its names, former ones too, each as it is written or in capitals."
    )
    products: tuple[str, ...] = Field(description="Products and subsidiaries whose names mean nothing else.")
    company_contexts: tuple[str, ...] = Field(
        description="Words around {name} that mean the company although one of `other_contexts` fits."
    )
    other_contexts: tuple[str, ...] = Field(description="Words around {name} that do not speak of the company.")

    @field_validator("company_contexts", "other_contexts")
    @classmethod
    def _surround_the_name(cls, contexts: tuple[str, ...]) -> tuple[str, ...]:
        for context in contexts:
            words = context.split()
            others = [word for word in words if word not in (NAME, f"{NAME}'s")]
            if len(words) - len(others) != 1 or not others or not all(_CONTEXT.fullmatch(word) for word in others):
                raise ValueError(f"{context!r} must be words and {NAME} or {NAME}'s once, such as 'on|via {NAME}'")
            if ELLIPSIS in (words[0], words[-1]):
                raise ValueError(f"{context!r} must not begin or end with {ELLIPSIS}")
        return contexts
