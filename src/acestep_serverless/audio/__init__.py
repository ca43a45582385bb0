"""How do samples become a file, and how loud is it? Clips, codecs, loudness, mastering; float32 at 48 kHz."""
