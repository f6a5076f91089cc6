"""Parts of autoencoders: how pictures are read and drawn, and codes that are distributions."""
