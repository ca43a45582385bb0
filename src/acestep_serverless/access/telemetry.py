"""Who else learns of a request? Nobody: the framework hands no spans to whatever collector the environment names."""

from fastapi.telemetry import TelemetryConfig

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""For every FastAPI app here: the URLs in such spans would hold workers' tokens and names of audio files."""
