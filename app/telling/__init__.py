"""What an analysis says, in words: numbers, sentences, cards and tables; pure functions, text out."""
