"""Simulated patients: one parametric anatomy, from which radiographs, CT slices and MR slices are made. No real data."""

#: counts up whenever the same seed gives other images than before
VERSION = 2
