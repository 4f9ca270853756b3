"""From one clip's grid of features to its scores, and to what a person asks of them: arrays in and arrays out."""
