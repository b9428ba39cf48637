"""The training loop: what is fitted, epoch by epoch, and on which devices."""
