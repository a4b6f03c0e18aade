"""What the sections of `scripts/bench` share."""
