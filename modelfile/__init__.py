"""What a model on disk says of itself and what its card adds, read without TensorFlow, before any process starts."""
