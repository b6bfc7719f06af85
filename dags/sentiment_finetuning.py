"""The sentiment model, from labelled sentences to a judged adapter.

An Airflow DAG made from `config/orchestration/sentiment_finetuning.yaml`: prepare labelled sentences,
fine-tune the encoder, and let the gates decide whether it scores the news from now on. Started by new
sentences (`labelled_sentences`), once a week by the clock, or by hand.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("sentiment_finetuning"), documentation=__doc__)
