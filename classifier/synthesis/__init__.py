"""Music made from numbers: for the demonstration site, and for tests that need more than a tone."""
