"""Whether an agent sees the news as it learned them: scored by the same sentiment model."""

from pathlib import Path

from MLOps.artifacts import read_result
from MLOps.inference.model_folder import EqualWeightCard, MlpActorCard


def other_scorer(card: MlpActorCard | EqualWeightCard, features: Path) -> str | None:
    """One clause if another model scored the news of these features than the one that the agent learned from.

    None where it is the same one, where the agent sees no scores, and where nothing is known of how the features came
    to be.
    """
    learned = card.provenance.get("sentiment_model_sha256") if isinstance(card, MlpActorCard) else None
    made = read_result(features.resolve().parent)
    if learned is None or made is None:
        return None
    found = made.details.get("sentiment_model_sha256")
    if found == learned:
        return None
    return f"news scored by {found or 'no model that the features name'}, not by {learned}, which it learned from"
