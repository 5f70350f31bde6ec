"""Evaluation of predictions of any kind: metrics with confidence intervals, curves, comparison. Needs no torch."""
