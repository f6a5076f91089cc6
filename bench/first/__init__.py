"""What ``bench.first_model`` is made of: sets, other models, figures."""
