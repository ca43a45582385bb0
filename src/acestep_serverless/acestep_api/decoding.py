"""What does an engine get of an order? Its request, with the sound files that it names decoded."""

from dataclasses import replace

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.decode import decode
from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.errors import AudioError


def request_with_sounds(order: Order, folder: AudioFolder, longest_seconds: float) -> GenerationRequest:
    """Return the request with source and reference as clips. Raises AudioError that says which file is wrong."""
    editing = replace(
        order.request.editing,
        source=_clip("source", order.source, folder, longest_seconds),
        reference=_clip("reference", order.reference, folder, longest_seconds),
    )
    return replace(order.request, editing=editing)


def _clip(role: str, name: str, folder: AudioFolder, longest_seconds: float) -> Clip | None:
    if not name:
        return None
    path = folder.find_upload(name)
    if path is None:
        raise AudioError(f"the {role} audio is not there any more; send the task again")
    try:
        return decode(path, longest_seconds=longest_seconds)
    except AudioError as error:
        raise AudioError(f"the {role} audio cannot be used: {str(error).replace(name, 'the file')}") from error
