"""New labelled sentences, once a day.

An Airflow DAG made from `config/orchestration/labelled_sentences.yaml`. Where the source holds nothing
new it is skipped. New sentences update the asset `labelled_sentences`, which starts
`sentiment_finetuning`.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("labelled_sentences"), documentation=__doc__)
