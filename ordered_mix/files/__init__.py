"""Files that are read and written: result folders, draws, columns of text."""
