"""What people do to teach the platform, as keyword-only functions."""
