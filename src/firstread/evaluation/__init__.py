"""Evaluation of predictions: metrics with confidence intervals, curves, thresholds, comparison. Needs no torch."""
