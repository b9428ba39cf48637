"""The version of the application; each classifier has a name of its own."""

VERSION = "0.2.0"
