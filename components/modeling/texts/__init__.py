"""What the architectures of texts are made of: n-grams and what they tell, layers over words in order, vectors."""
