"""Servers that lie, each a small program in a process of its own: a lie by the megabyte would hold up a test.

Each has a table of lies, by name; between them it is honest.
"""
