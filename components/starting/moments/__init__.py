"""What a first look makes of time: which column it is, and what a split by it runs out of."""
