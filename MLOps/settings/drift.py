"""Settings of the stage check_data_drift."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from MLOps.settings.backtest import EvaluationTerms
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.timing import TimingDataSettings

DriftSubject = Literal["features", "news_scores", "observation", "actions", "timing_observation"]
ColumnView = Literal["as_is", "log_return", "relative_to_close", "log_relative_to_past", "left_out"]


class DriftWindowSettings(Settings):
    """Which rows are compared, counted back from the newest one."""

    current_rows: int = Field(ge=1, le=100_000, description="Newest rows, which are judged.")
    reference_rows: int = Field(ge=1, le=1_000_000, description="Rows right before them, which they are judged by.")
    minimum_current_rows: int = Field(ge=2, le=100_000, description="With fewer current rows nothing is judged.")
    minimum_reference_blocks: float = Field(
        ge=2, le=1_000, description="With a reference shorter than so many current windows nothing is judged."
    )

    @model_validator(mode="after")
    def _minima_can_be_met(self) -> "DriftWindowSettings":
        if self.minimum_current_rows > self.current_rows:
            raise ValueError(f"minimum_current_rows must be at most current_rows={self.current_rows}")
        if self.minimum_reference_blocks * self.current_rows > self.reference_rows:
            raise ValueError("reference_rows must be at least minimum_reference_blocks * current_rows")
        return self


class TimingDriftSettings(Settings):
    """Which cycles of buy-timing are compared."""

    current_cycles: int = Field(ge=1, le=10_000, description="Newest cycles after training, which are judged.")
    minimum_current_cycles: int = Field(ge=1, le=10_000, description="With fewer of them nothing is judged.")
    minimum_reference_blocks: float = Field(
        ge=2, le=1_000, description="With training shorter than so many current windows nothing is judged."
    )

    @model_validator(mode="after")
    def _minimum_can_be_met(self) -> "TimingDriftSettings":
        if self.minimum_current_cycles > self.current_cycles:
            raise ValueError(f"minimum_current_cycles must be at most current_cycles={self.current_cycles}")
        return self


class DriftFloorSettings(Settings):
    """Scores below which no column drifts, however steady its reference was."""

    psi: float = Field(gt=0, le=100, description="Of the population stability index.")
    jensenshannon: float = Field(gt=0, le=0.8325, description="Of the Jensen-Shannon distance; at most sqrt(ln 2).")
    wasserstein: float = Field(
        gt=0, le=100, description="Of the Wasserstein distance, in standard deviations of the reference."
    )


class RecentMeanSettings(Settings):
    """Features whose mean over the newest sessions and all tickers is looked at by itself."""

    features: tuple[str, ...] = Field(description="Which features; those that a subject does not have are passed over.")
    rows: int = Field(ge=2, le=10_000, description="Newest sessions that are averaged.")
    margin: float = Field(
        ge=1, le=100, description="The threshold as a multiple of the largest distance of a stretch of the reference."
    )
    floor: float = Field(gt=0, le=100, description="Least threshold, in standard deviations of a session.")
    minimum_stretches: int = Field(
        ge=2, le=1_000, description="With a reference of fewer such stretches nothing tells what is usual."
    )


class StandingStillSettings(Settings):
    """When a column counts as standing still."""

    least_rows: int = Field(ge=2, le=10_000, description="Newest rows that must be the same, at least.")
    factor: float = Field(ge=1, le=100, description="And so many times the longest such run of the reference.")


class DriftThresholdSettings(Settings):
    """What makes a column drift, and what makes a subject drift."""

    floors: DriftFloorSettings = Field(description="Least thresholds of a column.")
    margin: float = Field(
        ge=1, le=100, description="A column's threshold as a multiple of the largest score within its reference."
    )
    block_stride_fraction: float = Field(
        gt=0, le=1, description="Step between the blocks of the reference that are scored, in current windows."
    )
    drifted_columns_fraction: float = Field(
        gt=0, le=1, description="A subject drifts when this share of its columns does."
    )
    minimum_drifted_columns: int = Field(ge=1, le=1_000, description="And at least so many of them, if it has as many.")
    severe_factor: float = Field(
        ge=1, le=1_000, description="A subject drifts when one column's score is this multiple of its threshold."
    )
    recent_means: RecentMeanSettings = Field(description="Means of the newest sessions, which shift unseen else.")
    standing_still: StandingStillSettings = Field(description="A subject drifts when a column stands still.")
    missing_values_increase_fraction: float = Field(
        gt=0, le=1, description="A subject drifts when the share of missing values in a column grows by so much."
    )


class DriftSettings(StageSettings):
    """Settings of check_data_drift."""

    subjects: tuple[DriftSubject, ...] = Field(min_length=1, description="What is checked, where it is there.")
    features_path: Path | None = machine_field("Features file; empty takes the workspace's; its digest is identity.")
    reference_features_path: Path | None = machine_field(
        "Features file that the reference is taken from; empty takes the rows before the current ones."
    )
    news_path: Path | None = machine_field("News of the scores, relative to the workspace.")
    scores_path: Path | None = machine_field("Scores of the news, relative to the workspace; empty checks none.")
    timing_bars_path: Path | None = machine_field(
        "Crypto bars of timing_observation, relative to the workspace; empty takes the newest of data.symbol."
    )
    model_folder: Path | None = machine_field("Model folder, relative to the workspace; empty takes the registry's.")
    model_alias: str = machine_field("Registry alias of the model whose inputs and actions are checked.", min_length=1)
    model_version: int | None = machine_field("Registry version of the model; empty takes the alias.", ge=1)
    market: DriftWindowSettings = Field(description="Windows of features, observation and actions, in sessions.")
    news: DriftWindowSettings = Field(description="Windows of the news scores, in articles.")
    data: TimingDataSettings = machine_field("Cycles of timing_observation; part of the identity where it is checked.")
    timing: TimingDriftSettings = machine_field("Windows of timing_observation; likewise.")
    settling_sessions: int = Field(
        ge=0, le=1_000, description="Sessions that the model trades, from cash alone, before its actions count."
    )
    terms: EvaluationTerms = Field(description="The account that the model trades to show its actions.")
    views: dict[str, ColumnView] = Field(
        description="How features, and the model's inputs, are looked at; those not named are taken as is."
    )
    past_sessions: int = Field(ge=1, le=1_000, description="Sessions of the past in log_relative_to_past.")
    thresholds: DriftThresholdSettings = Field(description="What counts as drift.")
    report_columns: int = Field(
        ge=0, le=1_000, description="Columns of a subject that Evidently draws, the most drifted first; 0 draws none."
    )
    ask_for_retraining: bool = machine_field("Whether drift found here may start the strategy.")
    fail_on_drift: bool = machine_field("Exit with status 10 on drift; false makes drift a result like any other.")
    fail_on_unchecked: bool = machine_field("Exit with status 11 where a subject could not be checked.")

    @model_validator(mode="after")
    def _scores_need_news(self) -> "DriftSettings":
        if self.scores_path is not None and self.news_path is None:
            raise ValueError("scores_path needs news_path: the articles that were scored")
        return self
