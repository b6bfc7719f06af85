"""The sentiment model: fine-tuned on labelled sentences, put to use on news."""
