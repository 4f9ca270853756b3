"""What the way from clip to grid costs: `python -m extractors.bench CLIP`."""
