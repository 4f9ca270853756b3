"""What is said: heard, given or carried by the clip, when each word was said, and its embedding."""
