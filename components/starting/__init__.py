"""A first pipeline from data alone: look, decide, and say why."""
