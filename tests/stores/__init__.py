"""Tests of aad.stores."""
