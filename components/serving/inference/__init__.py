"""What a request asks for, computed by a version: the engine behind both transports."""
