"""``make load``: many people at once on a site of its own, and how long they wait for its pages."""
