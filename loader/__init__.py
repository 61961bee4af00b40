"""One process a core: reads, decodes and resizes images into the shared frame memory."""
