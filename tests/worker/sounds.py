"""Small real sound files for the handler's tests."""

import io
import math
import struct
import wave


def wav(seconds: float = 0.5, rate: int = 8_000) -> bytes:
    """A WAV file of one quiet tone: mono, 16 bits."""
    frames = b"".join(struct.pack("<h", int(4_000 * math.sin(n / 4))) for n in range(int(seconds * rate)))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames)
    return buffer.getvalue()
