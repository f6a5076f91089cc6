"""Object detection: what is learned from boxes, and what is answered."""
