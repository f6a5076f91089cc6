"""What an operator says: flags, configuration files, TLS, and who may ask what."""
