"""Runs, metrics, figures and model versions sent to MLflow: ``tracker.track_run``."""
