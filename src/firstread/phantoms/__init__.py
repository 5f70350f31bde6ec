"""Simulated patients: one parametric anatomy, from which radiographs, CT slices and MR slices are made. No real data."""
