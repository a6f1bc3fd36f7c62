"""Reference posteriors of mixtures, and the table of samplers that is scored against them."""
