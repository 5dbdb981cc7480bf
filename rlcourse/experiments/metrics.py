"""The figures of merit: which way each goes, and who is no contestant."""

from __future__ import annotations

REFERENCES = ("random", "perfect_knowledge", "value_iteration", "policy_iteration", "finite_horizon")
"""The agents that learn nothing: between them the others are measured."""
HIGHER_IS_BETTER = {
    "reward": True,
    "regret": False,
    "optimal": True,
    "total_reward": True,
    "simple_regret": False,
    "return": True,
    "test_return": True,
    "online_return": True,
    "success": True,
    "gap": False,
    "distance": False,
    "win_rate": True,
    "steps_to_95": False,
}
"""Metric -> whether more is better, in the order of the rows of a table."""
