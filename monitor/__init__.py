"""What a run and its machine do, and what is shown of it."""
