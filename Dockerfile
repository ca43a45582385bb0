# The worker for Runpod Serverless (docs/runpod.md), and the gateway and workers of docker-compose.yml.
#
# The image has both engines: "acestep" (the ACE-Step 1.5 model, on an NVIDIA GPU or the CPU) plays when weights are
# found, else "sketch", the built-in band; the log and every result say which. Weights are not part of it.
#
#   BASE_IMAGE        any image with the packages of Ubuntu 24.04; ubuntu:24.04 is enough where there is no GPU. CUDA's
#                     libraries come with PyTorch's wheel for Linux; the base image only asks for the driver
#   EXTRAS            extras of pyproject.toml with commas between; empty: "sketch" alone, an image of a tenth the size
#   WEIGHTS           ORGANISATION/NAME of a model on Hugging Face, to be baked into the image; unset: from the volume
#   WEIGHTS_REVISION  its branch, tag or commit
ARG BASE_IMAGE=nvidia/cuda:12.8.1-base-ubuntu24.04

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS python
# Ubuntu's Python is 3.12. The audio effects (pedalboard) need libatomic; every other library is inside the wheels.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libatomic1 libstdc++6 python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS builder
# Ubuntu keeps no old versions of a package, so a pinned one would break the build some day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/venv
WORKDIR /build
COPY pyproject.toml constraints.txt ./
ARG EXTRAS="acestep"
# What the project needs, before the project: a new version of it changes a small layer only, and workers start sooner.
RUN python3 -c "import sys, tomllib; \
project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = [extra for extra in sys.argv[1].split(',') if extra]; \
wanted = project['dependencies'] + [need for extra in extras for need in project['optional-dependencies'][extra]]; \
open('requirements.txt', 'w').write('\n'.join(wanted))" "${EXTRAS}" \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE ./
COPY src ./src
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps .

FROM builder AS weights
ARG WEIGHTS=""
ARG WEIGHTS_REVISION="main"
RUN mkdir /weights \
    && if [ -n "${WEIGHTS}" ]; then \
        python3 -m venv /opt/hub \
        && /opt/hub/bin/pip install --no-cache-dir --constraint constraints.txt huggingface_hub \
        && HF_HOME=/weights /opt/hub/bin/hf download "${WEIGHTS}" --revision "${WEIGHTS_REVISION}"; \
    fi

FROM python
LABEL org.opencontainers.image.title="acestep-serverless" \
      org.opencontainers.image.description="ACE-Step 1.5 Serverless API. Songs of the ACE-Step model when its weights are found, else of the built-in engine sketch; every result names its engine." \
      org.opencontainers.image.licenses="MIT"
# A worker needs no rights but to read this image and a volume, and to write below /tmp and /data.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin worker \
    && install --directory --owner=worker --group=worker /data
COPY --from=weights /weights /opt/weights
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY handler.py test_input.json ./
ARG WEIGHTS=""
ARG BAKED_HOME=${WEIGHTS:+/opt/weights}
# HF_HOME: baked weights, else the volume's cache, which is also where Runpod puts its cached models.
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    HF_HOME=${BAKED_HOME:-/runpod-volume/huggingface-cache} \
    ACESTEP_SERVERLESS_ENGINE=auto \
    ACESTEP_SERVERLESS_DATA_DIR=/data
USER 10001
ENTRYPOINT []
CMD ["python", "-u", "/app/handler.py"]
