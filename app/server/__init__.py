"""How visitors are served: what a request may do, whose turn it is, what lies where, and when it goes."""
