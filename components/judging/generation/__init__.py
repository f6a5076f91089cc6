"""What an evaluation says of generated images: how far from real ones, of which classes, learned by heart or not."""
