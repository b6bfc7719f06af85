"""Alerts: the rules that raise them, the receiver that keeps and shows them, and their way to a person."""
