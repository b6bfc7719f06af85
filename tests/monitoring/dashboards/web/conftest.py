"""Workspaces to show: an empty one, and one where everything has happened."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from deployment.backtesting import evaluate_crypto_timing as evaluation  # its names of figures and details
from experiment_tracking.metric_sinks import Sample, report_metrics
from MLOps import metric_catalogue as catalogue
from MLOps.alert_events import DriftFoundEvent, StageFailedEvent, write_event
from MLOps.artifacts import RESULT_FILE, Made, Output, make_once
from MLOps.evaluation.comparison import RandomSpread, Scorecard
from MLOps.evaluation.paired_seeds import Effect
from MLOps.evaluation.performance import Performance
from MLOps.evaluation.significance import SharpeDifference
from MLOps.evaluation.timing_comparison import TimingScorecard, compare_timing
from MLOps.evaluation.timing_policies import first_step
from MLOps.inference.model_folder import MlpActorCard, write_model
from MLOps.inference.timing_model import RainbowTimingCard, write_timing_model
from MLOps.market.price_cycles import Cycles
from MLOps.settings.backtest import BacktestSettings, BacktestTerms
from MLOps.settings.compose import compose_settings
from MLOps.settings.dashboard import DashboardSettings
from MLOps.settings.timing_evaluation import TimingEvaluationSettings
from MLOps.stage import MemoryTracker, StageResult
from model_registry.champion import ensure_champion
from model_registry.family import CRYPTO_TIMING, STOCK_TRADING
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER, ModelVersion, time_tag
from model_registry.verdict import GateResult, Verdict
from monitoring.drift.report import DriftReport, write_report
from monitoring.drift.verdict import ColumnDrift, Status, SubjectDrift, Window

START = datetime(2024, 3, 5, 22, 0, tzinfo=UTC)
SESSIONS = 60


@dataclass(frozen=True)
class Shown:
    """A workspace that a dashboard shows, with a registry of plain files and nothing tracked."""

    workspace: Path

    @property
    def overrides(self) -> list[str]:
        return [f"paths.workspace='{self.workspace}'", "registry.kind=filesystem", "tracking.enabled=false"]

    @cached_property
    def settings(self) -> DashboardSettings:
        return self.with_overrides()

    def with_overrides(self, *overrides: str) -> DashboardSettings:
        """The settings, with further ones laid over them."""
        return compose_settings(DashboardSettings, "dashboard", [*self.overrides, *overrides])

    @property
    def reports(self) -> Path:
        return self.workspace / "reports"

    def write_market_data(self) -> None:
        """What ingestion leaves, on the replay clock."""
        folder = self.workspace / "data" / "raw" / "latest"
        folder.mkdir(parents=True)
        details = {"as_of": "2024-03-05", "is_replay": True, "source": "an archive", "tickers": "AAA,BBB"}
        warnings = {"warnings": "Survivorship: winners only. | Thin news."}
        result = StageResult(stage="ingest_data", key="0", status="made", folder=Path(), details=details | warnings)
        (folder / RESULT_FILE).write_text(result.model_dump_json())

    def write_backtest(
        self,
        version: int = 2,
        daily_return: float = 0.001,
        digests: tuple[str, str] = ("d" * 64, "c" * 64),
        keeps_positions: bool = True,
    ) -> Path:
        """A backtest in which the model earns `daily_return` each session, and the champion half of it.

        `digests` are those of the model and of the champion, version 2.
        """
        names = {"model": daily_return, "champion": daily_return / 2, "equal_weight": 0.0}

        def make(folder: Path, _key: str) -> Made:
            dates = pd.date_range("2024-01-02", periods=SESSIONS - 1, freq="B")
            returns = {name: np.full(SESSIONS - 1, value) for name, value in names.items()}
            pd.DataFrame({"date": dates} | returns).to_parquet(folder / "returns.parquet", index=False)
            card = _scorecard(dates[-1].date())
            (folder / "performance.json").write_text(card.model_dump_json())
            (folder / "report.html").write_text("<p>the whole report</p>")
            files = {"returns": "returns.parquet", "performance": "performance.json", "report": "report.html"}
            if keeps_positions:
                _positions().to_parquet(folder / "positions.parquet", index=False)
                files["positions"] = "positions.parquet"
            tested = {"model_version": str(version), "model_digest": digests[0], "last_date": str(card.last_date)}
            return Made(files=files, details=tested | {"champion_version": "2", "champion_digest": digests[1]})

        identity = {"version": str(version), "return": str(daily_return), "keeps": str(keeps_positions)}
        output = Output("run_backtest", self.reports / "backtests", self.settings, extra=identity)
        folder = make_once(output, make, MemoryTracker()).folder
        made_at = START.timestamp() + version  # so that their order does not hang on the clock of the disk
        os.utime(folder / RESULT_FILE, (made_at, made_at))
        return folder

    def register(self, bias: float) -> ModelVersion:
        """Register a model of one layer as challenger."""
        folder = self.workspace / "trained" / str(bias)
        weights = {
            "layers.0.weight": np.zeros((2, 5), np.float32),
            "layers.0.bias": np.full(2, bias, np.float32),
        }
        write_model(folder, _card(), weights)
        registry = open_registry(self.settings)
        version = registry.register(folder, "stock_trading", {"agent": "sb3/ppo", **time_tag()})
        registry.set_alias("stock_trading", CHALLENGER, version.version)
        return version

    def judge(self, version: ModelVersion, passed: bool, key: str = "verdict") -> Verdict:
        """Store a verdict; where it does not pass, the last gate failed."""
        registry = open_registry(self.settings)
        champion = ensure_champion(registry, "stock_trading", STOCK_TRADING)
        names = STOCK_TRADING.gates
        gates = tuple(
            GateResult(gate=name, figure=0.2, threshold=0.3, passed=passed or name != names[-1], reason=f"{name} & so")
            for name in names
        )
        verdict = Verdict(
            key=key,
            family="stock_trading",
            basis="gates",
            as_of=date(2024, 3, 5),
            model_digest=version.digest,
            champion_digest=champion.digest,
            outcome="passed" if passed else "rejected",
            gates=gates,
        )
        registry.store_verdict(version, verdict)
        return verdict

    def register_timing(self, coin: str, name: str, passed: bool | None = None) -> ModelVersion:
        """Register a buy-timing model as challenger, version 1, and the champion that buys first after it."""
        registry, folder = open_registry(self.settings), self.workspace / "trained" / name
        card = _timing_card(coin)
        weights = {tensor: np.zeros(shape, np.float32) for tensor, shape in card.tensor_shapes().items()}
        write_timing_model(folder, card, weights)
        version = registry.register(folder, name, {"symbol": coin, **time_tag()})
        registry.set_alias(name, CHALLENGER, version.version)
        ensure_champion(registry, name, CRYPTO_TIMING)
        if passed is not None:
            registry.store_verdict(version, _timing_verdict(version.digest, passed))
        return version

    def write_evaluation(
        self, coin: str, advantage: float = -4.0, digest: str = "e" * 64, seeds: int = 1, made_at: int = 0
    ) -> Path:
        """An evaluation of version 1, which saved so many basis points, 10 more or less, where 136 could be saved."""
        card = _timing_scorecard(coin, advantage, seeds)
        told = SimpleNamespace(digest=digest, version=1, weights=digest)
        contenders = SimpleNamespace(models=[told], champion=SimpleNamespace(digest="b" * 64, version=2))

        def make(folder: Path, _key: str) -> Made:
            (folder / "savings.json").write_text(card.model_dump_json())
            (folder / "report.html").write_text("<p>the whole report</p>")
            files = {"savings": "savings.json", "report": "report.html"}
            details = evaluation._details(card, contenders, SimpleNamespace(warnings=()))
            return Made(files, evaluation._metrics(card), details)

        identity = {"coin": coin, "advantage": str(advantage), "digest": digest}
        output = Output("evaluate_crypto_timing", self.reports / "crypto_timing", self.settings, extra=identity)
        folder = make_once(output, make, MemoryTracker()).folder
        os.utime(folder / RESULT_FILE, (START.timestamp() + made_at,) * 2)
        return folder

    def judge_evaluation(self, evaluated: Path, digest: str, passed: bool) -> None:
        """What the gates said of an evaluation; where it does not pass, the last three failed."""
        savings = {"savings": evaluated / "savings.json"}

        def make(folder: Path, _key: str) -> Made:
            (folder / "verdict.json").write_text(_timing_verdict(digest, passed).model_dump_json())
            return Made({"verdict": "verdict.json"})

        root = self.reports / "crypto_timing_promotions"
        make_once(Output("promote_crypto_timing", root, self.settings, inputs=savings), make, MemoryTracker())

    def write_drift(self, last: date | None, excess: float = 0.5, name: str = "check-1") -> Path:
        """A check of the features whose newest row is of `last`; without it, one that had no answer."""
        folder = self.reports / "drift" / name
        folder.mkdir(parents=True)
        column = ColumnDrift(
            column="close.AAA",
            scores={"psi": 0.3 * excess},
            thresholds={"psi": 0.3},
            excess=excess,
            missing_reference=0.0,
            missing_current=0.02,
        )
        found = SubjectDrift(subject="features", status=Status.NOT_CHECKED, reasons=("too few rows",))
        if last is not None:
            found = SubjectDrift(
                subject="features",
                status=Status.DRIFT if excess >= 1 else Status.NO_DRIFT,
                reasons=("1 of 1 columns drifted, drift is from 1 on: close.AAA",) if excess >= 1 else (),
                reference=Window(first="2020-01-02", last="2023-12-01", rows=900),
                current=Window(first="2023-12-04", last=str(last), rows=63),
                columns=(column,),
                least_drifted=1,
            )
        write_report(folder, DriftReport(model="", subjects=(found,)))
        return folder

    def write_failure(self, minutes: float = 0, status: str = "firing", message: str = "no <b>bars</b>") -> None:
        """An alert of ingest_data, so many minutes after the start."""
        event = StageFailedEvent.model_validate(
            {"event": "stage_failed", "status": status, "at": START + timedelta(minutes=minutes), "run_date": None}
            | {"message": message, "log_url": "http://127.0.0.1:8080/log", "plan": "daily_data"}
            | {"stage": "ingest_data", "run_id": f"run{minutes}", "try_number": 1}
        )
        write_event(self.reports, event)

    def write_drift_alert(self) -> None:
        """An alert of drifted features."""
        values = {"event": "drift_found", "status": "firing", "at": START, "run_date": None, "message": "it drifted"}
        place = {"log_url": "", "drift_subject": "features", "check": "k", "asks_retraining": True, "pushed": False}
        write_event(self.reports, DriftFoundEvent.model_validate(values | place))

    def write_stage(
        self, stage: str, succeeded: bool = True, ended_at: datetime = START, found: dict[str, Status] | None = None
    ) -> None:
        """What a run of a stage reports; of a drift check, what it found of each subject."""
        samples = [
            Sample(catalogue.STAGE_SUCCESS, float(succeeded), (stage,)),
            Sample(catalogue.STAGE_DURATION, 12.5, (stage,)),
            Sample(catalogue.STAGE_LAST_RUN, ended_at.timestamp(), (stage,)),
            *(Sample(catalogue.DRIFT_STATUS, float(status), (subject,)) for subject, status in (found or {}).items()),
        ]
        report_metrics(self.settings, {stage: samples})


def _positions() -> pd.DataFrame:
    """Two sessions: the model goes from cash to AAA and a little BBB, the champion holds both alike."""
    rows = [
        ("2024-03-21", "model", "AAA", 0.0, 0.0),
        ("2024-03-21", "model", "BBB", 0.0, 0.0),
        ("2024-03-22", "model", "AAA", 1200.0, 0.25),
        ("2024-03-22", "model", "BBB", 2500.5, 0.6),
        ("2024-03-21", "champion", "AAA", 10.0, 0.5),
        ("2024-03-21", "champion", "BBB", 10.0, 0.5),
        ("2024-03-22", "champion", "AAA", 10.0, 0.45),
        ("2024-03-22", "champion", "BBB", 10.0, 0.55),
    ]
    frame = pd.DataFrame(rows, columns=["date", "strategy", "ticker", "shares", "weight"])
    return frame.assign(date=pd.to_datetime(frame["date"]))


def _scorecard(last: date) -> Scorecard:
    figures = {"total_return": 0.1, "volatility": 0.2, "sortino": 0.7, "max_drawdown": 0.2, "calmar": 0.5}
    rest = {"turnover": 3.0, "costs_paid": 100.0}
    rows = {"model": (0.1, 0.5), "champion": (0.05, 0.25), "equal_weight": (0.0, None)}
    strategies = {
        name: Performance.model_validate(figures | rest | {"annual_return": annual, "sharpe": sharpe})
        for name, (annual, sharpe) in rows.items()
    }
    difference = SharpeDifference(
        difference=0.25, lower=-0.1, upper=0.6, confidence_fraction=0.9, resamples=100, block_sessions=3.0
    )
    return Scorecard(
        terms=_terms(),
        first_date=date(2024, 1, 1),
        last_date=last,
        sessions=SESSIONS,
        strategies=strategies,
        sharpe_differences={"champion": difference, "equal_weight": None},
        random=RandomSpread(paths=1, sharpe_05=None, sharpe_50=None, sharpe_95=None, beaten_fraction=None),
    )


@cache
def _terms() -> BacktestTerms:
    return compose_settings(BacktestSettings, "run_backtest").terms


@cache
def _timing_comparison(seeds: int) -> TimingScorecard:
    """What all policies that buy at the first step find on a rising price."""
    overrides = ["data.cycle_steps=24", "terms.bootstrap.resamples=100", "terms.baselines.random_draws=2"]
    settings = compose_settings(TimingEvaluationSettings, "evaluate_crypto_timing", overrides)
    times = np.datetime64("2019-01-01", "us") + np.arange(400) * np.timedelta64(1, "h")
    cycles = Cycles(np.linspace(100, 200, 400), np.arange(30, 370), 24, 30, times)
    return compare_timing([first_step] * seeds, first_step, cycles, cycles, settings.conditions).scorecard


def _timing_scorecard(coin: str, advantage: float, seeds: int) -> TimingScorecard:
    """The same with an advantage, a coin, and the window that the tests of pages tell."""
    card = _timing_comparison(seeds)

    def over_first(mean: float) -> dict[str, Effect]:
        ends = {"mean": mean, "lower": mean - 10, "upper": mean + 10}
        first = card.advantages["buy_first"].model_copy(update=ends)
        return card.advantages | {"buy_first": first, "hindsight": first.model_copy(update={"mean": mean - 136})}

    data = card.conditions.data.model_copy(update={"symbol": coin})
    return card.model_copy(
        update={
            "conditions": card.conditions.model_copy(update={"data": data}),
            "first_decision": datetime(2019, 1, 2, 6, tzinfo=UTC),
            "last_decision": datetime(2019, 6, 30, 23, tzinfo=UTC),
            "cycles": 4291,
            "periods": 179,
            "advantages": over_first(advantage),
            "seed_advantages": over_first(1.0) if seeds > 1 else {},
        }
    )


def _timing_card(coin: str) -> RainbowTimingCard:
    network = {"hidden_sizes": (1,), "stream_size": 1, "atoms": 1, "v_min": -1, "v_max": 1}
    return RainbowTimingCard.model_validate(
        {
            "architecture": network | {"is_dueling": False, "is_categorical": False},
            "observation": {"window_size": 30, "size": 32},
            "market": {"symbol": coin, "frequency": "1h", "cycle_steps": 24, "fee_bps": 10},
            "environment": {},
            "windows": {},
            "provenance": {"seed": 1},
        }
    )


def _timing_verdict(digest: str, passed: bool) -> Verdict:
    """The last three gates fail where it does not pass."""
    failed = () if passed else CRYPTO_TIMING.gates[-3:]
    gates = tuple(
        GateResult(gate=gate, figure=0.2, threshold=0.3, passed=gate not in failed, reason="so")
        for gate in CRYPTO_TIMING.gates
    )
    return Verdict(
        key="verdict",
        family=CRYPTO_TIMING.name,
        basis="gates",
        as_of=date(2019, 6, 30),
        model_digest=digest,
        champion_digest="b" * 64,
        outcome="passed" if passed else "rejected",
        gates=gates,
    )


def _card() -> MlpActorCard:
    return MlpActorCard.model_validate(
        {
            "architecture": {"hidden_sizes": [], "activation": "relu", "squash": "clip"},
            "observation": {"tickers": ["AAA", "BBB"], "indicators": [], "size": 5},
            "normalisation": {"mean": [0.0] * 5, "scale": [1.0] * 5, "limit": 10.0},
            "action": {
                "kind": "share_orders",
                "max_shares_per_order": 10,
                "is_fractional": False,
                "turbulence_threshold": None,
            },
            "environment": {},
            "windows": {},
            "provenance": {"seed": 1},
        }
    )


@pytest.fixture(autouse=True)
def _no_search_for_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit looks through every installed package at each run of a test's page; nothing there is used here."""
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", list)


@pytest.fixture
def shown(workspace: Path) -> Shown:
    """An empty workspace."""
    return Shown(workspace)


@pytest.fixture(scope="session")
def furnish() -> Callable[[Path], Shown]:
    """``furnish(workspace)``: let everything happen in it that a page tells of."""

    def work(workspace: Path) -> Shown:
        shown = Shown(workspace)
        shown.write_market_data()
        first = shown.register(0.1)
        champion = shown.judge(first, passed=False).champion_digest or ""  # version 2, equal weight
        third = shown.register(0.2)
        shown.judge(third, passed=False)
        shown.write_backtest(version=1, daily_return=-0.001, digests=(first.digest, champion))
        shown.write_backtest(version=3, digests=(third.digest, champion))
        bitcoin = shown.register_timing("BTC", "crypto_timing", passed=False).digest
        shown.judge_evaluation(shown.write_evaluation("BTC", digest=bitcoin, seeds=3), bitcoin, passed=False)
        ether = shown.register_timing("ETH", "crypto_timing_eth", passed=False).digest
        shown.write_evaluation("ETH", advantage=30.0, digest=ether)
        shown.write_drift(date(2024, 2, 5), name="check-1")
        shown.write_drift(date(2024, 3, 5), excess=2.5, name="check-2")
        shown.write_failure()
        shown.write_failure(20, "resolved", "it succeeded")
        shown.write_drift_alert()
        shown.write_stage("ingest_data")
        shown.write_stage("train_rl_agent", succeeded=False)
        shown.write_stage("check_data_drift", found={"features": Status.DRIFT, "news_scores": Status.NOT_CHECKED})
        return shown

    return work


@pytest.fixture(scope="session")
def furnished(furnish: Callable[[Path], Shown], tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A workspace where everything has happened. Only read it."""
    return furnish(tmp_path_factory.mktemp("furnished"))
