"""Gymnasium's classic control problems as rules on arrays: the same physics, in batches, with a stream for every copy."""
