"""The bandit worlds, one file a family."""
