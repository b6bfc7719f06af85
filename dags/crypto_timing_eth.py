"""Buy-timing of Ether, from bars to a judged model.

An Airflow DAG made from `config/orchestration/crypto_timing_eth.yaml`: what `crypto_timing` does for Bitcoin by the
hour, for Ether by the day. Its champion has a name of its own. Once a week by the clock, some hours after Bitcoin's, or
by hand.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("crypto_timing_eth"), documentation=__doc__)
