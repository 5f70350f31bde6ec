"""What every other room shares: Cohort, Case, Run, Predictions, Report, settings, errors. No torch."""
