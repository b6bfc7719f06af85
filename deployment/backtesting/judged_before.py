"""How many other models were judged on the dates of a test before, and what luck alone makes of so many tries.

A window on which many models were judged is worn: the best of them looks good by luck. The tries are counted from the
evaluations that the workspace keeps: what was cleaned away, or judged elsewhere, is not in it. A model is known by its
weights, for the same ones trained again with later dates in their card are no new try. Earlier releases told none: what
they judged is known by the model's digest, so that the same training may count again under each of its cards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from MLOps.artifacts import RESULT_FILE
from MLOps.stage import Scalar, StageResult

WEIGHTS = "weights_digests"
"""Detail of an evaluation: `weights_digest` of each model that was judged in it, with commas."""


@dataclass(frozen=True)
class Tries:
    """The models that were judged on a window.

    Attributes
    ----------
    others : int
        Different models that were judged before, on dates that the window shares.
    confidence_fraction : float
        Coverage of the two-sided intervals by which they are judged.
    """

    others: int
    confidence_fraction: float

    @property
    def lucky_fraction(self) -> float:
        """Probability that at least one of all, none with an edge, shows an interval above 0.

        Each does with p = (1 - confidence) / 2, if the intervals hold what they promise, and at least one of n with
        ``1 - (1 - p)**n`` (Sidak, 1967), if their luck is independent; models that resemble one another share theirs.
        """
        return float(1 - (1 - (1 - self.confidence_fraction) / 2) ** (self.others + 1))

    def details(self) -> dict[str, Scalar]:
        """What a result tells of it."""
        return {"models_judged_before": self.others, "lucky_fraction": round(self.lucky_fraction, 4)}


@dataclass(frozen=True)
class JudgedWindow:
    """What the details of an evaluation say of its window.

    Attributes
    ----------
    names : (str, str)
        Details that hold the window's first and last date or instant, in ISO 8601.
    first, last : str
        Of this evaluation.
    market : mapping of str to str
        Further details that an evaluation on the same prices shares, and their values.
    """

    names: tuple[str, str]
    first: str
    last: str
    market: Mapping[str, str]

    def is_shared_by(self, details: Mapping[str, Scalar]) -> bool:
        """Whether another evaluation is of the same market and shares dates with this one."""
        first, last = (str(details.get(name) or "") for name in self.names)
        is_same = all(str(details.get(name)) == value for name, value in self.market.items())
        return is_same and bool(first) and first <= self.last and self.first <= last


def count_tries(root: Path, stage: str, judged: set[str], window: JudgedWindow, confidence_fraction: float) -> Tries:
    """The tries on a window before this one.

    Parameters
    ----------
    root : Path
        Folder of all evaluations of the stage.
    stage : str
        Its name.
    judged : set of str
        `weights_digest` and `model_digest` of the models that are judged now, which are no others.
    window : JudgedWindow
        Of this evaluation.
    confidence_fraction : float
        Coverage of its intervals.
    """
    weights, known, earlier = set[str](), set[str](), set[str]()
    for details in filter(window.is_shared_by, _details_of(root, stage)):
        digest = str(details.get("model_digest") or "")
        weights |= set(str(details.get(WEIGHTS) or "").split(","))
        (known if details.get(WEIGHTS) else earlier).add(digest)
    return Tries(len((weights | (earlier - known)) - judged - {""}), confidence_fraction)


def _details_of(root: Path, stage: str) -> Iterator[Mapping[str, Scalar]]:
    for path in root.glob(f"[!.]*/{RESULT_FILE}"):
        if path.parent.is_symlink():  # `latest`, which another entry stands for
            continue
        try:
            result = StageResult.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):  # cleaned away meanwhile, or no output of a stage
            continue
        if result.stage == stage:
            yield result.details
