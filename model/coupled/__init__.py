"""Coupled Mamba: its layers, head and network, its states over time, and what a score owes to which of them."""
