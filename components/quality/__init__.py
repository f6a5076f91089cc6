"""Data quality: contract -> rules -> Great Expectations suite -> outcomes, Data Docs and profile."""
