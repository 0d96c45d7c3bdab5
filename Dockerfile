# The studio in a container:
#   docker build -t speech-emotion-studio .
#   docker run -p 127.0.0.1:7860:7860 -v studio:/data -e SER_USERS=ada:secret speech-emotion-studio
# TORCH_INDEX is the package index that torch comes from: PyTorch's own for processors makes the
# smallest image, those for CUDA serve a GPU. Without it the usual index is asked.

FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update && apt-get install -y --no-install-recommends build-essential git \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt requirements-extra.txt /tmp/
# The three torch packages come from one index: wheels of different builds do not load together.
RUN grep -E '^torch(audio|vision)?==' /tmp/requirements.txt > /tmp/torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r /tmp/torch.txt \
    && pip install -r /tmp/requirements-extra.txt

# The compiler stays behind in the stage above.
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 studio \
    && install -d -o studio -g studio /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
USER studio
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SER_HOME=/data SER_HOST=0.0.0.0 SER_PORT=7860
VOLUME /data
EXPOSE 7860
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health', timeout=8)"]
CMD ["python", "app.py"]
