"""One architecture a file; ``architectures.AnyModel`` is the choice between them."""
