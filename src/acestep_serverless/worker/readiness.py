"""Will this ACE-Step server do what a request asks for? Upstream's substitutes in silence, so it is asked first.

An unknown model becomes the first one there, a task that a model cannot do is done somehow, adapters are worn for all
tasks at once, and the server inside Gradio takes no audio. Our own server refuses such things itself and is not asked.
"""

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.inventory import Model
from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import FieldProblem, InputError
from acestep_serverless.worker.sources import AUDIO_FIELDS

ASKED_ABOUT = frozenset({"model", "task_type", "lora"})
"""Parameters of whose effect an upstream server says nothing."""


async def make_ready(request: MusicInput, acestep: AceStepClient, *, patience: float) -> None:
    """See that the server has the model, the task and the adapter of a request; a server that has loaded nothing yet
    loads the model, within `patience` seconds. Raises InputError where it has not, PeerError, PeerUnreachable."""
    audio = [name for name in AUDIO_FIELDS if getattr(request, name) is not None]
    if not audio and not ASKED_ABOUT & set(request.parameters):
        return
    health = await acestep.health()
    if "engine" in health:
        return
    if audio and "gradio" in str(health.get("service", "")).lower():
        refused = "must be absent: this ACE-Step server, the one inside Gradio, takes no audio"
        raise InputError([FieldProblem(name, "audio", refused) for name in audio])
    if not {"model", "task_type"}.isdisjoint(request.parameters):
        await _model_ready(request, acestep, patience)
    if "lora" in request.parameters:
        await _adapter_worn(request, acestep)


async def _model_ready(request: MusicInput, acestep: AceStepClient, patience: float) -> None:
    models = await acestep.models()
    if not models:
        return
    chosen = _chosen(models, request.parameters.get("model"))
    if chosen.task_types and request.task_type not in chosen.task_types:
        allowed = f"must be one of {', '.join(sorted(chosen.task_types))} with the model {chosen.name}"
        raise InputError([FieldProblem("task_type", shown(request.task_type), allowed)])
    if "model" in request.parameters and not chosen.loaded:
        await acestep.load_model(chosen.name, patience=patience)


def _chosen(models: tuple[Model, ...], name: object) -> Model:
    """Find the named model, or the default one. While another model is loaded, only loaded ones can be had: loading
    one more could put it in the place of one that other tasks are using."""
    if name is None:
        return models[0]
    loaded = [model for model in models if model.loaded]
    for model in loaded or models:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in loaded or models)
    raise InputError([FieldProblem("model", shown(name), f"must be one of {names} with this ACE-Step server")])


async def _adapter_worn(request: MusicInput, acestep: AceStepClient) -> None:
    """The server wears one set of adapters for everybody, so a request gets the one that is worn, or an error."""
    wanted, scale = request.parameters["lora"], request.parameters.get("lora_scale")
    adapters = await acestep.adapters()
    worn = {} if adapters is None or not adapters.active else dict(adapters.scales)
    if adapters is not None and adapters.chosen is not None:
        worn = {name: worth for name, worth in worn.items() if name == adapters.chosen}
    if wanted not in worn:
        allowed = f"must be {' or '.join(worn)}, which" if worn else "must be absent: no adapter is what"
        raise InputError([FieldProblem("lora", shown(wanted), f"{allowed} this ACE-Step server wears for all tasks")])
    if scale is not None and scale != worn[wanted]:
        allowed = f"must be {worn[wanted]:g}, at which this ACE-Step server wears it for all tasks, or absent"
        raise InputError([FieldProblem("lora_scale", shown(scale), allowed)])
