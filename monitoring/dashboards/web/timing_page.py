"""Page of buy-timing: for each coin the champion, what models saved in cycles they had not seen, and the verdicts."""

from collections.abc import Mapping, Sequence

import streamlit as st

from MLOps.charts.timing_charts import draw_advantages
from MLOps.settings.dashboard import DashboardSettings
from monitoring.dashboards.web.champions_page import champion_tile
from monitoring.dashboards.web.family_history import FamilyHistory
from monitoring.dashboards.web.render_blocks import (
    Cell,
    Chip,
    Column,
    Tile,
    Tone,
    empty,
    heading,
    notes,
    section,
    table,
    tiles,
)
from monitoring.dashboards.web.show_parts import offer_file, read_or_say, show_chart
from monitoring.dashboards.web.shown_families import BUY_TIMING, ShownFamily, read_history, timing_families
from monitoring.dashboards.web.tested_model import tested_model
from monitoring.dashboards.web.timing_files import Advantage, TimingEvaluation, list_evaluations, read_evaluation
from monitoring.dashboards.web.wording import count, moment, plain, signed

_COLUMNS = (
    Column("Model", "short strong"),
    Column("Made, UTC", "short minor"),
    Column("Judged to", "short minor"),
    Column("Advantage", "number"),
    Column("Interval", "number"),
    Column("Hindsight", "number minor"),
    Column("Cycles", "number minor"),
    Column("Finding", "minor"),
    Column("Verdict"),
    Column("Failed gates"),
)
_FINDINGS = {"edge": Chip("edge", "good"), "loss": Chip("loss", "bad"), "no_edge": Chip("no edge", "note")}
_OUTCOMES: Mapping[str, Tone] = {"passed": "good", "rejected": "bad"}


def show_timing(settings: DashboardSettings) -> None:
    """One coin: its champion, an evaluation in full, and the last ones beside each other."""
    evaluations = list_evaluations(settings.paths.reports)
    families = read_or_say(lambda: timing_families(settings)) or []
    coins = coins_of(families, evaluations)
    st.html(heading(BUY_TIMING, "Once in each cycle a coin is bought; what an agent saves by its choice of when."))
    if not coins:
        st.html(no_evaluation())
        return
    coin = coins[0]
    if len(coins) > 1:
        coin = str(st.segmented_control("Coin", coins, default=coin, label_visibility="collapsed", required=True))
    histories = read_or_say(lambda: [read_history(settings, shown) for shown in families if _buys(shown, coin)]) or []
    for history in histories:
        if history.fault:
            st.html(notes([history.fault], "bad"))
    of_coin = [each for each in evaluations if each.coin == coin]
    if not of_coin:
        st.html(tiles([champion_tile(history) for history in histories]))
        st.html(no_evaluation())
        return
    chosen = of_coin[0]
    if len(of_coin) > 1:
        chosen = st.selectbox("Evaluation", of_coin, format_func=lambda each: each.title, key=f"evaluation {coin}")
    _show_evaluation(chosen, histories)
    st.html(section("Last evaluations", "Basis points of the cycle's first price, against buying at once."))
    st.html(evaluation_table(of_coin[: settings.dashboard.shown_evaluations]))


def coins_of(families: Sequence[ShownFamily], evaluations: Sequence[TimingEvaluation]) -> list[str]:
    """Every coin that a registered model buys, or that was evaluated."""
    registered = {coin: None for shown in families for coin in shown.coin.split(", ") if coin}
    return list(registered | {each.coin: None for each in evaluations})


def no_evaluation() -> str:
    """What stands where no buy-timing model was ever evaluated."""
    return empty(
        "No evaluation yet",
        "What a model saves against buying at once, and how sure that is, appears here once one was judged.",
        "python -m pipelines.orchestration.run_strategy crypto_timing",
    )


def evaluation_table(evaluations: Sequence[TimingEvaluation]) -> str:
    """Evaluations beside each other, a row each."""
    return table(_COLUMNS, [_row(each) for each in evaluations])


def coin_tile(evaluation: TimingEvaluation) -> Tile:
    """The newest evaluation of a coin in a tile."""
    found = _FINDINGS.get(evaluation.finding, Chip(evaluation.finding))
    note = f"basis points over buying first, {_interval(evaluation.advantage)}: {found.text}; "
    told = f"{evaluation.model.lower()} {_verdict(evaluation).lower()}"
    return Tile(f"{BUY_TIMING} {evaluation.coin}", signed(evaluation.advantage.mean), note + told, found.tone)


def _buys(shown: ShownFamily, coin: str) -> bool:
    return coin in shown.coin.split(", ")


def _show_evaluation(evaluation: TimingEvaluation, histories: Sequence[FamilyHistory]) -> None:
    found = read_or_say(lambda: read_evaluation(evaluation.folder))
    history = _history_of(evaluation, histories)
    tested = tested_model(evaluation, history)
    st.html(section(tested.title, tested.told))
    if found is None:
        return
    card, report = found
    confidence = f"{100 * card.conditions.terms.bootstrap.confidence_fraction:g}% "
    st.html(tiles([*([champion_tile(history)] if history else []), *_tiles(evaluation, confidence)]))
    if evaluation.failed_gates:
        st.html(notes([f"Gates that failed: {_failed(evaluation)}"], "note"))
    lead = "How much less the model paid than each rule. Where an interval crosses zero, the two cannot be told apart."
    st.html(section("How sure the differences are", lead))
    show_chart(draw_advantages(card.advantages), "advantages")
    offer_file(report, "Download the whole report", f"buy-timing-{evaluation.coin}-{evaluation.last_day}.html")


def _history_of(evaluation: TimingEvaluation, histories: Sequence[FamilyHistory]) -> FamilyHistory | None:
    """The models that the evaluated one is registered among; else the first of the coin."""
    holding = [
        history for history in histories if evaluation.digest in {model.version.digest for model in history.models}
    ]
    return next(iter([*holding, *histories]), None)


def _tiles(evaluation: TimingEvaluation, confidence: str) -> list[Tile]:
    def saved(caption: str, advantage: Advantage, tone: Tone) -> Tile:
        note = f"basis points over buying first; {confidence}interval {_interval(advantage)}"
        return Tile(caption, signed(advantage.mean), note, tone)

    tone = _FINDINGS.get(evaluation.finding, Chip("")).tone
    seeds, judged_on = evaluation.seeds_advantage, f"{evaluation.first_day} to {evaluation.last_day}"
    return [
        saved("Advantage", evaluation.advantage, tone),
        *([saved(f"Mean of {evaluation.trained_seeds} seeds", seeds, "")] if seeds else []),
        Tile("Hindsight", signed(evaluation.hindsight_bps), "basis points: the best step of every cycle", "quiet"),
        Tile(
            "Judged on",
            f"{evaluation.cycles:,} cycles",
            f"of {evaluation.cycle}{_periods(evaluation)}; {judged_on}",
            "quiet",
        ),
        Tile("Verdict", _verdict(evaluation), _gates(evaluation), _OUTCOMES.get(evaluation.verdict, "quiet")),
    ]


def _verdict(evaluation: TimingEvaluation) -> str:
    return plain(evaluation.verdict) if evaluation.verdict else "Not judged"


def _gates(evaluation: TimingEvaluation) -> str:
    if not evaluation.verdict:
        return "the gates were not asked"
    return f"{count(len(evaluation.failed_gates), 'gate')} failed" if evaluation.failed_gates else "every gate passed"


def _failed(evaluation: TimingEvaluation) -> str:
    return ", ".join(plain(gate).lower() for gate in evaluation.failed_gates)


def _row(evaluation: TimingEvaluation) -> tuple[Cell, ...]:
    outcome = Chip(_verdict(evaluation).lower(), _OUTCOMES.get(evaluation.verdict, "quiet"))
    return (
        evaluation.model,
        moment(evaluation.made_at),
        evaluation.last_day,
        signed(evaluation.advantage.mean),
        _interval(evaluation.advantage),
        signed(evaluation.hindsight_bps),
        f"{evaluation.cycles:,}{_periods(evaluation)}",
        (_FINDINGS.get(evaluation.finding, Chip(evaluation.finding)),),
        (outcome,),
        _failed(evaluation),
    )


def _periods(evaluation: TimingEvaluation) -> str:
    return "" if evaluation.periods is None else f" in {count(evaluation.periods, 'period')}"


def _interval(advantage: Advantage) -> str:
    return f"{signed(advantage.lower)} to {signed(advantage.upper)}"
