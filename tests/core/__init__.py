"""Tests of aad.core."""
