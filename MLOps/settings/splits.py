"""Settings of the split into train, validation and test windows."""

from datetime import date

from pydantic import Field

from MLOps.settings.stage_settings import Settings


class SplitSettings(Settings):
    """Windows by count of sessions, counted back from the end of the data."""

    train_start: date | None = Field(description="First date that may be trained on; empty means the first one.")
    validation_sessions: int = Field(ge=1, description="Sessions right before the test window, for choosing a model.")
    test_sessions: int = Field(ge=1, description="Last sessions of the data, for judging a model.")
    minimum_train_sessions: int = Field(ge=1, description="With fewer sessions left to train on, nothing is trained.")
