"""From probabilities to decisions: calibration, and the threshold above which a row counts as positive."""
