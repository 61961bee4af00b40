"""One process a device: frames in, batches through the engine, results out."""
