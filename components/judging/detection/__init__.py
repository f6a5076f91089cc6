"""How found boxes are held against true ones."""
