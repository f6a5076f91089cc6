"""How long a training may take, and networks that are trained again once the best epoch is known."""
