"""Numbers in, numbers out: how well scores meet ratings, whether one network is better, how far an interval reaches."""
