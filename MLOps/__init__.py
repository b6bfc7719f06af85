"""The kernel: settings, domain types and maths. No service, no global state; start reading at stage.py."""
