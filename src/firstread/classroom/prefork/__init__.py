"""Servers and kernels that start at once: forked from processes that have imported everything already (on Linux, where they can be kept apart)."""
