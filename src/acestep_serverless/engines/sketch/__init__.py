"""How does a song come out of a caption without a model? A composer writes a score, a band plays it."""
