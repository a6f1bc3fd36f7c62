"""One fitted mixture: its estimates, whose labels mean something, and three questions about it."""
