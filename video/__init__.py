"""Video files: which frames they hold, read off the container without decoding, and how a frame is named in a list."""
