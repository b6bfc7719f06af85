"""Grafana's dashboards, made as code: write_dashboards.py makes the files that Grafana reads."""
