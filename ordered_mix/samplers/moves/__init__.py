"""What samplers are made of: moves, ladders, compiled sweeps, densities, checks of input."""
