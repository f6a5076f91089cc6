"""The sections of the report: each reads what it needs of a run and gives the template plain values."""
