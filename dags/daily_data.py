"""New data, each trading day.

An Airflow DAG made from `config/orchestration/daily_data.yaml`. It runs after the close on weekdays;
on a holiday it finds nothing new and is skipped. New data updates the asset `market_data`, which
starts `full_strategy`.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("daily_data"), documentation=__doc__)
