"""What does HTTP look like to clients and to workers? Routes translate; the desk, the registry and the shelf decide."""
