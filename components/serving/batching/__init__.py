"""Requests that arrive together run as one batch; the threads and the pauses which that takes."""
