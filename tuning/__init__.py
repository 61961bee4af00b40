"""Which setting is fastest here: short real runs on a sample of the images, and the search through them."""
