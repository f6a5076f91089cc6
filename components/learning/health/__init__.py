"""Whether a training is healthy: what is measured of its layers after an epoch, and which faults it shows."""
