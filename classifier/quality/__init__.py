"""What is known of how good a version is, prepared for pages."""
