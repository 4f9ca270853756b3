"""Where weights come from: the sums they were sealed with, the extractors that described their data, and that data."""
