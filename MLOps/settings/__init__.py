"""Settings: YAML composed into frozen models, the project's paths and its clock."""
