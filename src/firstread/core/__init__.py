"""What every other room shares: Cohort, Study, Run, Predictions, Report, settings, errors. No torch."""
