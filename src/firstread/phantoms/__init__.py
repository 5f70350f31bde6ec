"""Phantom patients: radiographs, CT and MR slices simulated from a parametric anatomy. No real data."""

#: incremented whenever a seed gives other images than before
VERSION = 3

#: classes of the phantom data set mednist, and of the published set that it follows
MEDNIST_CLASSES = ("abdominal CT", "chest CT", "head CT", "chest radiograph", "brain MR", "breast MR")
