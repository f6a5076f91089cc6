"""Dates as text or numbers: how a column writes them (``finding``) and what moment each stands for (``reading``)."""
