"""From Predictions to figures that can be trusted: metrics with intervals, curves, thresholds. Reads tables; no torch."""
