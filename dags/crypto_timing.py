"""Buy-timing of Bitcoin, from bars to a judged model.

An Airflow DAG made from `config/orchestration/crypto_timing.yaml`: fetch crypto bars, check what the agent sees for
drift, train it, judge it beside fixed rules and the champion, and let the gates decide whether it is the one that is
served. Once a week by the clock, or by hand.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("crypto_timing"), documentation=__doc__)
