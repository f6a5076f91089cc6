"""Learning to act: memory of transitions, what is drawn from it, and the step that learns from that."""
