"""What is to be predicted, one file a task: labels, head, loss, numbers, answers, judgement and pictures."""
