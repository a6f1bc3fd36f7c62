"""Where estimators end: distinct optima from many starts, and Laplace's approximation at one."""
