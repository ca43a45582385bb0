"""What are the Hub's two files? JSON Schemas after the tables of the platform's publishing guide; nothing else is let
through, so that a misspelt field cannot be ignored in silence."""

from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
VARIABLE: dict[str, Any] = {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"}
SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
CUDA_VERSIONS: dict[str, Any] = {"type": "array", "items": {"type": "string", "pattern": r"^\d+\.\d+$"}}


def closed(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these fields and no others."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


STATIC_VARIABLE = closed({"key": VARIABLE, "value": SCALAR})
INPUT = closed(
    {"name": TEXT, "type": {"enum": ["string", "number", "boolean", "huggingface"]}},
    {
        "description": TEXT,
        "default": SCALAR,
        "required": {"type": "boolean"},
        "advanced": {"type": "boolean"},
        "options": {"type": "array", "minItems": 1, "items": closed({"label": TEXT, "value": SCALAR})},
        "min": {"type": "number"},
        "max": {"type": "number"},
        "trueValue": SCALAR,
        "falseValue": SCALAR,
    },
)
PRESET = closed({"name": TEXT, "defaults": {"type": "object", "additionalProperties": SCALAR}})

# On a CPU the flavour is needed and nothing of a GPU is allowed; the other way round on a GPU.
ON_CPU = {"properties": {"runsOn": {"const": "CPU"}, "gpuIds": False, "gpuCount": False}, "required": ["cpuFlavor"]}
ON_GPU = {"properties": {"runsOn": {"const": "GPU"}, "cpuFlavor": False}, "required": ["gpuIds", "gpuCount"]}

HUB = closed(
    {
        "title": TEXT,
        "description": TEXT,
        "type": {"const": "serverless"},
        "category": {"enum": ["audio", "embedding", "language", "video", "image"]},
        "config": closed(
            {"runsOn": {"enum": ["GPU", "CPU"]}, "containerDiskInGb": {"type": "integer", "minimum": 1}},
            {
                "endpointType": {"const": "LB"},
                "cpuFlavor": TEXT,
                "gpuCount": {"type": "integer", "minimum": 1},
                "gpuIds": TEXT,
                "allowedCudaVersions": CUDA_VERSIONS,
                "env": {
                    "type": "array",
                    "items": {"oneOf": [STATIC_VARIABLE, closed({"key": VARIABLE, "input": INPUT})]},
                },
                "presets": {"type": "array", "items": PRESET},
            },
        )
        | {"oneOf": [ON_CPU, ON_GPU]},
    },
    {"iconUrl": {"type": "string", "format": "uri"}},
)

TESTS = closed(
    {
        "tests": {
            "type": "array",
            "minItems": 1,
            "items": closed(
                {"name": TEXT, "input": {"type": "object"}}, {"timeout": {"type": "integer", "minimum": 1000}}
            ),
        }
    },
    {
        "config": closed(
            {},
            {
                "gpuTypeId": TEXT,
                "gpuCount": {"type": "integer", "minimum": 1},
                "cpuFlavor": TEXT,
                "env": {"type": "array", "items": STATIC_VARIABLE},
                "allowedCudaVersions": CUDA_VERSIONS,
            },
        )
    },
)
