"""Mazes: maps as text, one set of compiled rules, and the worlds that are made of them."""
