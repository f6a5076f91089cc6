"""What ails a training, in words: the verdict from its losses, and what a closer look at model and data adds."""
