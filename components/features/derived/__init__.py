"""Features made of several numbers: distances to clusters, memberships of them, principal components."""
