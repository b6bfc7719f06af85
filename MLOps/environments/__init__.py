"""Trading environments and their adapters to the learning libraries."""
