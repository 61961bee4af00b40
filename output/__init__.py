"""Results on disk: the formats, and what reads them."""
