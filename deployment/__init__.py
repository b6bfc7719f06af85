"""The stages that judge a model and put it to work."""
