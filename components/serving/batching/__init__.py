"""Requests that arrive together run as one batch; the threads and the waits which that takes."""
