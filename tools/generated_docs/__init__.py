"""What is written out of the code: man pages, completions, lists of keys."""
