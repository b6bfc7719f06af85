"""New crypto bars, each day, and their signal rates.

An Airflow DAG made from `config/orchestration/crypto_data.yaml`: fetch the bars of one cryptocurrency up to
the end of the last day in UTC, and measure how often their closes lie above their rolling mean. The form
takes another cryptocurrency, other days and other windows.
"""

from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.load_plan import load_plan

dag = chain(load_plan("crypto_data"), documentation=__doc__)
