"""Real servers and real clients for the tests, each started and ended by the test that needs it."""
