"""Models that learn how rows are distributed: Boltzmann machines, generators against critics."""
