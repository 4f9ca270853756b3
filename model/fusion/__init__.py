"""How else modalities meet: the baselines beside Coupled Mamba, behind its interface, and any of them both ways."""
