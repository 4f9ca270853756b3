"""How it is said: where there is speech, how it sounds, and which emotion it carries."""
