"""Worlds that are a finite model: sampled from its arrays."""
