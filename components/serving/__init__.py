"""The embedded model server: TensorFlow Serving's contract over gRPC and REST, without Docker."""
