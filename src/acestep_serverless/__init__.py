"""Music generation as a serverless endpoint: ACE-Step 1.5 on Runpod or on your own machines."""

__version__ = "0.1.0"
