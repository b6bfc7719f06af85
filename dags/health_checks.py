"""What is watched each day, whether or not the other DAGs ran.

An Airflow DAG made from `config/orchestration/health_checks.yaml`: whether each family of models has a rightful
champion and since when, and how many sessions the newest data lie behind their clock.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("health_checks"), documentation=__doc__)
