"""What templates print, made of our types by pure functions."""
