"""From a Cohort to a trained network and its Predictions. Torch begins here."""
