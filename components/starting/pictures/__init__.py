"""A first look at images: files in folders, or pixels in columns."""
