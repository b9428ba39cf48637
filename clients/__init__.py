"""What other tools need to talk to a site. Nothing here imports the platform."""
