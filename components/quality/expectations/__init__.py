"""Contract -> rules -> Great Expectations suite -> outcomes, verdict and Data Docs."""
