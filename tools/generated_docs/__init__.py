"""Documents made from the code: man pages, completions, lists of keys."""
