"""Plans: which stages make a strategy, run by Airflow or by a plain command line."""
