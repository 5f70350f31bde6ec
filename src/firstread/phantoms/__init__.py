"""Phantom patients: radiographs, CT and MR slices simulated from a parametric anatomy. No real data."""

#: incremented whenever a seed gives other images than before
VERSION = 2
