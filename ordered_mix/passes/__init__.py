"""One read of the data: the log likelihood and the responsibility-weighted moments."""
