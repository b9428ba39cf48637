"""The measured quality of a version, prepared for pages."""
