"""Types and helpers shared by all packages: Cohort, Case, Run, Predictions, Report, splits, errors, files. No torch."""
