"""What studies measure beyond fits and draws: information, dynamics, minima, exact posteriors."""
