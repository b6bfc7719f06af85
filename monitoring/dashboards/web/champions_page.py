"""Page of the champions: who it is and by what right, every version, and the verdicts gate by gate."""

import streamlit as st

from MLOps.settings.dashboard import DashboardSettings
from model_registry.family import CRYPTO_TIMING, SENTIMENT, STOCK_TRADING
from model_registry.verdict import Verdict
from monitoring.dashboards.web.family_history import FamilyHistory, RegisteredModel
from monitoring.dashboards.web.render_blocks import (
    Cell,
    Chip,
    Column,
    Tile,
    empty,
    heading,
    notes,
    section,
    table,
    tiles,
)
from monitoring.dashboards.web.show_parts import read_or_say
from monitoring.dashboards.web.shown_families import ShownFamily, read_history, shown_families
from monitoring.dashboards.web.wording import count, moment, number, plain

_VERSIONS = (
    Column("Version", "short strong"),
    Column("Model", "short"),
    Column("Verdict"),
    Column("Role"),
    Column("Registered, UTC", "short minor"),
    Column("Digest", "short minor"),
)
_GATES = (
    Column("Gate", "strong"),
    Column(""),
    Column("Figure", "number minor"),
    Column("Threshold", "number minor"),
    Column("In words"),
)
_PLANS = {
    STOCK_TRADING.name: "full_strategy",
    SENTIMENT.name: "sentiment_finetuning",
    CRYPTO_TIMING.name: "crypto_timing",
}
_OUTCOMES = {"passed": Chip("passed", "good"), "rejected": Chip("rejected", "bad")}


def show_champions(settings: DashboardSettings) -> None:
    """Champion, versions and verdicts of one family of models."""
    st.html(heading("Champions", "A model becomes champion by passing every gate, and by nothing else."))
    families = read_or_say(lambda: {shown.name: shown for shown in shown_families(settings)})
    if families is None:
        return
    chosen = st.segmented_control(
        "Family",
        list(families),
        default=settings.registry.model_name,
        format_func=lambda name: families[name].label,
        label_visibility="collapsed",
        required=True,
    )
    shown = families[str(chosen)]
    history = read_or_say(lambda: read_history(settings, shown))
    if history is None:
        return
    if not history.models:
        st.html(no_model(shown))
        return
    if history.fault:
        st.html(notes([history.fault], "bad"))
    st.html(tiles(_tiles(history)))
    st.caption(f"Registered as {history.name}.")
    st.html(section("Versions", "A version that passed may be champion; its role says which one is."))
    st.html(table(_VERSIONS, [_version_row(model, history) for model in history.models]))
    st.html(section("Verdicts"))
    _show_verdicts(history)


def no_model(shown: ShownFamily) -> str:
    """What stands where no model of the family was ever registered."""
    return empty(
        f"No {shown.label.lower()} model yet",
        f"The first champion is a baseline, {shown.family.baseline_kind.replace('_', ' ')}; "
        f"what is trained is judged against it by {shown.family.promotion}.",
        f"python -m pipelines.orchestration.run_strategy {_PLANS[shown.family.name]}",
    )


def verdict_words(model: RegisteredModel, verdict: Verdict) -> str:
    """A verdict in one line."""
    passed = sum(gate.passed for gate in verdict.gates)
    evidence = f", data to {verdict.as_of}" if verdict.as_of else ""
    return f"Version {model.version.version}: {verdict.outcome}, {passed} of {len(verdict.gates)} gates{evidence}"


def champion_tile(history: FamilyHistory) -> Tile:
    """The champion in a tile."""
    if history.champion is None:
        return Tile(
            "Champion",
            "None",
            "see Champions" if history.fault else "none was named yet",
            "bad" if history.fault else "quiet",
        )
    holder = next(model for model in history.models if model.version.version == history.champion.version)
    return Tile("Champion", f"Version {history.champion.version}", holder.kind)


def _tiles(history: FamilyHistory) -> list[Tile]:
    champion = history.champion
    right, since = "\N{EN DASH}", None
    if champion is not None:
        since = champion.registered_at
        holder = next(model for model in history.models if model.version.version == champion.version)
        has_gates = any(verdict.basis == "gates" and verdict.has_passed for verdict in holder.verdicts)
        right = f"All {len(history.family.gates)} gates" if has_gates else "Baseline"
    promoted = sum(verdict.has_passed for _, verdict in history.judged)
    return [
        champion_tile(history),
        Tile(
            "By right of", right, "passed" if right.startswith("All") else "champion by definition" if champion else ""
        ),
        Tile(
            "Registered",
            f"{since:%d %b %Y}" if since else "\N{EN DASH}",
            f"{since:%H:%M} UTC" if since else "not written down",
        ),
        Tile("Versions", str(len(history.models)), f"{count(len(history.judged), 'verdict')}, {promoted} passed"),
    ]


def _version_row(model: RegisteredModel, history: FamilyHistory) -> tuple[Cell, ...]:
    verdicts = [verdict for verdict in model.verdicts if verdict.outcome in _OUTCOMES]
    if model.may_be_champion:
        verdict = (
            Chip("passed", "good") if any(each.basis == "gates" for each in verdicts) else Chip("baseline", "note")
        )
    else:
        verdict = _OUTCOMES[verdicts[-1].outcome] if verdicts else Chip("not judged")
    champion = history.family.champion_alias  # of buy-timing and sentiment it has the family's name in it
    roles = tuple(Chip("champion", "model") if role == champion else Chip(plain(role).lower()) for role in model.roles)
    at = model.version.registered_at
    return str(model.version.version), model.kind, (verdict,), roles, moment(at), model.version.digest[:12]


def _show_verdicts(history: FamilyHistory) -> None:
    if not history.judged:
        st.html(empty("No verdict yet", f"What {history.family.promotion} decides appears here, gate by gate."))
        return
    position = 0
    if len(history.judged) > 1:
        position = st.selectbox(
            "Verdict",
            range(len(history.judged)),
            format_func=lambda place: verdict_words(*history.judged[place]),
            key=f"verdict {history.name}",
            label_visibility="collapsed",
        )
    else:
        st.caption(verdict_words(*history.judged[0]))
    _, verdict = history.judged[min(position, len(history.judged) - 1)]
    rows: list[tuple[Cell, ...]] = [
        (
            plain(gate.gate),
            (Chip("passed", "good") if gate.passed else Chip("failed", "bad"),),
            _number(gate.figure),
            _number(gate.threshold),
            gate.reason,
        )
        for gate in verdict.gates
    ]
    st.html(table(_GATES, rows))


def _number(value: float | str | None) -> str:
    """What a gate measured or demands, where it is a number; what is text, the gate's reason tells."""
    return "" if isinstance(value, str) else number(value, 3)
