"""The parts of `scripts/bench`: each measures, and gives rows of the table."""
