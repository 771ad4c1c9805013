"""The tests of aad."""
