"""Data that are read again for every pass: larger than memory, or than one machine."""
