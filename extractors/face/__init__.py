"""Who is seen: the faces of a clip, the main one among them, and what it shows."""
