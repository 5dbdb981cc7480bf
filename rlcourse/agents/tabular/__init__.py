"""Agents that keep a table: one file a family of rules."""
