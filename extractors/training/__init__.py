"""What the trainings of the extractors share; their commands stand in the folder above (`train_*.py`)."""
