"""What the judges share."""
