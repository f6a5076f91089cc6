"""Runs, metrics, figures and model versions sent to MLflow."""
