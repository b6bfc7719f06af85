"""Whose figures a test's are: the model that was tested, its standing, and the champion that stood beside it."""

from dataclasses import dataclass
from typing import Protocol

from monitoring.dashboards.web.family_history import FamilyHistory, RegisteredModel
from monitoring.dashboards.web.render_blocks import Tile, Tone


class ModelTest(Protocol):
    """A backtest, or an evaluation of buy-timing, as a list shows it."""

    @property
    def model(self) -> str:
        """Which model was tested, for a person."""

    @property
    def digest(self) -> str:
        """Of the tested model."""

    @property
    def champion_version(self) -> str:
        """Of the champion beside it; empty if none."""

    @property
    def champion_digest(self) -> str:
        """Likewise."""


@dataclass(frozen=True)
class TestedModel:
    """The model of a test, for a person.

    Attributes
    ----------
    name : str
        Its version, or the start of its digest where the registry has not given it one.
    kind : str
        What was trained; empty where the registry does not know the model, or cannot be asked.
    standing : str
        What it is by now: champion, or what the gates decided.
    champion : str
        Which champion the test ran beside; empty if none.
    """

    __test__ = False  # pytest takes what is called Test... for tests

    name: str
    kind: str
    standing: str
    champion: str

    @property
    def title(self) -> str:
        """Which model it is, in one line."""
        return ", ".join(part for part in (self.name, self.kind) if part)

    @property
    def told(self) -> str:
        """What it is by now and what it is compared with, a sentence each."""
        beside = f"Beside it the champion of that test: {self.champion}." if self.champion else "No champion beside it."
        return f"By now: {self.standing}. {beside}"

    @property
    def tile(self) -> Tile:
        """Whose the figures are that stand beside this tile."""
        tones: dict[str, Tone] = {"rejected": "bad", "champion": "good"}
        note = ", ".join(part for part in (self.kind, self.standing) if part)
        return Tile("Model tested", self.name, note, tones.get(self.standing, "note"))


def tested_model(test: ModelTest, history: FamilyHistory | None) -> TestedModel:
    """The model of `test`, as far as the registry (None: it cannot be asked) knows it."""
    models = {model.version.digest: model for model in history.models} if history else {}
    found, champion = models.get(test.digest), models.get(test.champion_digest)
    beside = f"version {test.champion_version}" if test.champion_version else ""
    return TestedModel(
        name=test.model,
        kind=found.kind if found else "",
        standing=_standing(found, history),
        champion=", ".join(part for part in (beside, champion.kind if champion else "") if part),
    )


def _standing(model: RegisteredModel | None, history: FamilyHistory | None) -> str:
    if history is None:
        return "unknown, as the registry cannot be read"
    if model is None:
        return "not in the registry"
    if history.champion is not None and history.champion.version == model.version.version:
        return "champion"
    judged = [verdict.outcome for verdict in model.verdicts if verdict.outcome in {"passed", "rejected"}]
    return judged[-1] if judged else "not judged"
