"""Sentiment of sentences: labelled data, the fine-tuned encoder, lexicon baselines, scoring."""
