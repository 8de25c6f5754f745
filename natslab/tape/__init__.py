"""What happened in a lab, in order."""
