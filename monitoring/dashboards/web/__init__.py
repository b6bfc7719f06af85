"""The dashboard in the browser: what Grafana shows and more, from the workspace's files and the registry alone."""
