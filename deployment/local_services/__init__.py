"""Airflow and the MLflow server on this machine: started, watched, ended; and the demo."""
