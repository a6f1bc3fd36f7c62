"""What can be computed from posterior draws, whoever drew them."""
