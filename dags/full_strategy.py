"""The whole strategy, from data to a judged model.

An Airflow DAG made from `config/orchestration/full_strategy.yaml`: fetch data, build features, train an
agent, backtest it, and let the gates decide whether it trades on paper. Started by new data
(`market_data`), once a week by the clock, or by hand: the form sets what the run shall differ in.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("full_strategy"), documentation=__doc__)
