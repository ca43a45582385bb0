"""When may a job move, and who owns it now? The desk decides; nobody else changes a job's row."""
