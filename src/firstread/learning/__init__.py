"""Training and prediction: from a Cohort to a trained network and its Predictions. Torch is imported from here on."""
