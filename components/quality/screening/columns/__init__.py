"""What the columns of a file hold: values in the forms that tests need, order of time, what advances or drifts."""
