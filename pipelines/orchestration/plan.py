"""Plans: which stages make a strategy, in which order, and what each takes from an earlier one."""

from datetime import date
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from MLOps.settings.settings_keys import holds_key
from MLOps.settings.stage_settings import Settings, StageSettings
from MLOps.settings.stage_table import StageEntry
from pipelines.orchestration.references import references

Override = str | int | float | bool | date | tuple[str, ...] | None


class Step(Settings):
    """One stage of a plan."""

    stage: str = Field(description="Name of the stage in the table.")
    overrides: dict[str, Override] = Field(
        description="Settings of the stage; ${stage.field} takes a value from an earlier step's result."
    )
    own: tuple[str, ...] = Field(
        description="Settings of the stage that an override of the whole plan does not reach; they mean another thing."
    )
    timeout_minutes: float = Field(gt=0, le=1440, description="The stage is ended after this long, in minutes.")
    retries: int = Field(ge=0, le=10, description="Further tries after a failure that may pass.")
    retry_delay_seconds: float = Field(ge=0, le=3600, description="Wait before a further try, in seconds.")

    def references(self) -> list[tuple[str, ...]]:
        """What the overrides take from earlier steps."""
        return [path for value in self.overrides.values() if isinstance(value, str) for path in references(value)]


class Schedule(Settings):
    """When a plan runs by itself; one of the assets or the clock, whichever comes first."""

    timezone: str = Field(description="Time zone of the cron line and of the run's date.")
    cron: str | None = Field(description="Cron line; empty means never by the clock.")
    assets: tuple[str, ...] = Field(description="Assets; the update of any of them starts the plan.")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("must be an IANA time zone, such as America/New_York")
        return name


class Plan(Settings):
    """A strategy's chain of stages."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the plan: the name of its file.")
    description: str = Field(min_length=1, description="What the plan does, in one sentence.")
    schedule: Schedule = Field(description="When it runs by itself.")
    deadline_minutes: float | None = Field(
        gt=0, le=10_080, description="An alert is raised if a run has not ended so long after it was asked for."
    )
    starts_paused: bool = Field(description="Whether a person must switch the schedule on in Airflow first.")
    updates: str | None = Field(description="Asset that is updated when the last step made something new.")
    steps: tuple[Step, ...] = Field(min_length=1, description="The stages, in their order.")
    overrides: dict[str, Override] = Field(
        description="Settings that lie over every stage's YAML that knows the key, and not as its own; what a person "
        "gives lies over them.",
    )
    form: tuple[str, ...] = Field(description="Settings keys that the trigger form asks for.")
    outcome: dict[str, str] = Field(description="What is told at the end: name to ${stage.field}.")
    stages: dict[str, StageEntry] = Field(description="The table of stages.")

    def settings_type(self, stage: str) -> type[StageSettings]:
        """The settings model of one of the plan's stages."""
        return self.stages[stage].settings_type

    def owners(self, override_key: str) -> list[str]:
        """The stages of this plan that an override reaches: their settings hold its key, and not as their own."""
        return [
            step.stage
            for step in self.steps
            if override_key not in step.own and holds_key(self.settings_type(step.stage), override_key)
        ]

    def own_within(self, override_key: str) -> list[str]:
        """What the stages have of their own within the section of that key; the section given whole would reach it."""
        return [f"{step.stage}: {own}" for step in self.steps for own in step.own if own.startswith(f"{override_key}.")]
