"""Values of requests and answers: element types, tensors, and what they may take."""
