"""The model server as a process."""
