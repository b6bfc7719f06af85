"""Drift, looked for each trading day without training.

An Airflow DAG made from `config/orchestration/drift_watch.yaml`: fetch the newest data, build features, and compare
them with those before. Drift raises an alert, which starts `full_strategy` within its cool-down and daily budget.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("drift_watch"), documentation=__doc__)
