"""Does the sketch engine make music that others can read? Public listeners judge its songs, against goals.

Needs the extra [bench] (`make bench-music` installs it); `python -m bench.music --help` tells the words it takes.
"""
