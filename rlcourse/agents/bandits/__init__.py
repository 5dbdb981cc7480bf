"""Strategies for bandits, one file a family; each works on the whole population at once, on `[S, K]` arrays."""
