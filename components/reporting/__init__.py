"""What a reader gets: the run report and the decision records of the gates."""
