"""What limits a result on some data, as told by the details that ingestion and features carry along."""

from collections.abc import Mapping

from MLOps.stage import Scalar

BETWEEN_WARNINGS = " | "  # stages join their warnings with it, for details hold plain values


def data_warnings(details: Mapping[str, Scalar]) -> tuple[str, ...]:
    """One sentence for each thing that a reader of results must know; none where nothing is known.

    Parameters
    ----------
    details : mapping
        Of the result of build_features.
    """
    warnings = [text for text in str(details.get("warnings") or "").split(BETWEEN_WARNINGS) if text]
    if details.get("is_replay"):
        warnings.insert(0, f"REPLAY: the clock of these data stands at {details.get('as_of')}; nothing here is live.")
    dropped = details.get("dropped_indicators")
    if dropped and not any("close-only" in text.lower() for text in warnings):
        warnings.append(f"Close-only: without high and low there is no {str(dropped).replace(',', ', ')}.")
    if digest := details.get("sentiment_model_sha256"):
        kind = details.get("sentiment_model_kind", "a model of unknown kind")
        warnings.append(
            f"News: {details.get('sessions_with_news')} sessions have any, scored by {kind} ({str(digest)[:12]}); "
            "where there is none the sentiment fades to 0."
        )
    return tuple(warnings)
