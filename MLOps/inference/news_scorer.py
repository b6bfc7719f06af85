"""Whether an agent sees the news as it learned them: scored by the same sentiment model."""

from pathlib import Path

from MLOps.artifacts import read_result
from MLOps.inference.model_folder import EqualWeightCard, MlpActorCard


def other_scorer(card: MlpActorCard | EqualWeightCard, features: Path) -> str | None:
    """One clause if another model scored the news of these features than the one that the agent learned from.

    None where it is the same one, where the agent sees no scores, and where the features tell nothing of theirs.
    """
    learned = card.provenance.get("sentiment_model_sha256") if isinstance(card, MlpActorCard) else None
    made = read_result(features.resolve().parent)
    if learned is None or made is None:
        return None
    found = made.details.get("sentiment_model_sha256")
    return f"news scored by {found}, not by {learned}, which it learned from" if found != learned else None
