"""Configuration of Prometheus and Alertmanager, made from the settings so that ports agree."""
