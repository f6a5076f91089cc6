"""A detector: backbone, pyramid, heads, and changes that move boxes with their images."""
