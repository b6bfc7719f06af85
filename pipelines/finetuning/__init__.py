"""Stage prepare_sentiment_dataset: labelled sentences made ready for fine-tuning."""
