"""How does the built-in engine sing? Words become syllables, spoken words become a voice on the melody."""
