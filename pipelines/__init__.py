"""The stages that make data and models: one module, one job, one command line."""
