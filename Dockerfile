# negtemp in a container, for any processor of this kind, or for a GPU of NVIDIA's:
#
#   docker build -t negtemp .
#   docker build -t negtemp:cuda --build-arg BACKEND=cuda --build-arg BUILDER=nvidia/cuda:13.0.1-devel-ubuntu24.04 \
#       --build-arg RUNTIME=nvidia/cuda:13.0.1-runtime-ubuntu24.04 .
#   docker run --rm -it -v "$PWD:/models" negtemp compare -m /models/7b.gguf      (--gpus all for the second)
#   docker run --rm -p 8123:8123 negtemp explore --host 0.0.0.0 --port 8123 --api-key WORD
ARG BUILDER=debian:13-slim
ARG RUNTIME=debian:13-slim

# hadolint ignore=DL3006
FROM ${BUILDER} AS builder
ARG BACKEND=cpu
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates g++ git python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
# what was compiled stays outside the last image
RUN python3 -m venv /opt/negtemp \
    && /opt/negtemp/bin/pip install --no-cache-dir "/source[hub,plot,report,scan,web]" \
    && /opt/negtemp/bin/negtemp build --backend "$BACKEND" --portable --tools --folder /build \
    && /opt/negtemp/bin/negtemp doctor

# hadolint ignore=DL3006
FROM ${RUNTIME}
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 user
COPY --from=builder /opt/negtemp /opt/negtemp
USER 10001
WORKDIR /home/user
ENTRYPOINT ["/opt/negtemp/bin/negtemp"]
CMD ["compare"]
