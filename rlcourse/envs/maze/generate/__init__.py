"""Levels without end: mazes, rooms and fields, each drawn from a level seed."""
