"""What runs a study: cells to workers, outcomes to the store, the table to the claims."""
