"""What exactly is on the wire? Shapes, names and states of every protocol spoken here; no I/O."""
