"""How does a clip become a file? FFmpeg's codecs through PyAV; same samples and tags, same bytes."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.formats import AudioFormat, format_named
from acestep_serverless.audio.segments import LAYOUTS, Packet, audio_frames, encode_side_by_side
from acestep_serverless.audio.together import never
from acestep_serverless.errors import AudioError, GenerationCancelled


def encode(
    clip: Clip,
    path: Path,
    audio_format: str,
    tags: Mapping[str, str],
    cancelled: Callable[[], bool] = never,
) -> None:
    """Write `clip` to `path` as `audio_format` (a name of FORMATS), with `tags` such as {"title": ...}.

    The file appears whole or not at all: it is written beside its place and renamed. No clock or chance enters it, so
    the same samples and tags give the same bytes. Raises AudioError (unknown format, refused samples, no room on disk)
    and GenerationCancelled within 0.1 s of `cancelled()` turning true.
    """
    chosen = format_named(audio_format)
    folder = path.absolute().parent
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.", suffix=".part", delete=False) as file:
        part = Path(file.name)
    try:
        _write(clip, part, chosen, tags, cancelled)
        part.chmod(0o644)
        part.replace(path)
    except (av.error.FFmpegError, ValueError) as error:
        raise AudioError(f"cannot write {path.name} as {audio_format}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _write(clip: Clip, path: Path, chosen: AudioFormat, tags: Mapping[str, str], cancelled: Callable[[], bool]) -> None:
    # "bitexact" keeps FFmpeg's version and the time out of the file.
    muxing = {name: value.format(rate=clip.sample_rate) for name, value in chosen.muxing.items()}
    with av.open(str(path), "w", format=chosen.container, options={"fflags": "+bitexact", **muxing}) as container:
        container.metadata.update(tags)
        stream = container.add_stream(chosen.codec, rate=clip.sample_rate, options=dict(chosen.options))
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = LAYOUTS[clip.samples.shape[0]]
        stream.codec_context.format = chosen.sample_format
        if chosen.bit_rate is not None:
            stream.bit_rate = chosen.bit_rate
        container.start_encoding()
        for packet in _packets(clip, chosen, stream, cancelled):
            packet.stream = stream
            container.mux(packet)


def _packets(
    clip: Clip, chosen: AudioFormat, stream: av.AudioStream, cancelled: Callable[[], bool]
) -> Iterator[Packet]:
    """Encode the clip: segments side by side where the codec allows it, else frame after frame."""
    if chosen.independent:
        yield from encode_side_by_side(clip, chosen, stream.codec_context.frame_size, cancelled)
        return
    layout = LAYOUTS[clip.samples.shape[0]]
    converter = AudioResampler(format=chosen.sample_format, layout=layout, rate=clip.sample_rate)
    for frame in audio_frames(clip, 0, clip.samples.shape[1], chosen.gain):
        if cancelled():
            raise GenerationCancelled("the song was cancelled while it was being encoded")
        for converted in converter.resample(frame):
            yield from stream.encode(converted)
    yield from stream.encode(None)
