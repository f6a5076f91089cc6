"""A model for LiteRT (TensorFlow Lite): converted, run by its interpreter, held against the trained one."""
