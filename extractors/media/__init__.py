"""Clips read: a container opened within limits, its pictures and its sound by their time stamps."""
