"""The supervised core: stacks of S networks that are trained side by side, their losses, data, optimisers and metrics.

Everything here leads with the members `[S, ...]`: weights are `[S, in, out]`, a batch is `[S, B, ...]` with a part of its own
for every member, and one `baddbmm` a layer moves all of them. Optimisers, autograd and serialisation are torch's.
"""
