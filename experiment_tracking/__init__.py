"""MLflow tracking, provenance, and the runner that gives a stage its command line."""
