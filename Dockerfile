# syntax=docker/dockerfile:1
# The page on any host that runs containers. For torch with CUDA give another TORCH_INDEX and run with --gpus all.
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.txt constraints.txt ./
# torch first and alone, so that nothing after it replaces the build that was chosen; wheels only, no compiler is here.
RUN torch="$(grep -E '^torch==' constraints.txt)" \
    && /opt/venv/bin/pip install --only-binary :all: --index-url "${TORCH_INDEX}" \
        --extra-index-url https://pypi.org/simple "${torch}" \
    && /opt/venv/bin/pip install --only-binary :all: -c constraints.txt -r requirements.txt

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 1000 visitor \
    && install -d -o visitor -g visitor /var/cache/coupled-mamba /opt/coupled-mamba/numba
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/coupled-mamba
COPY . .
USER 1000
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/opt/coupled-mamba/numba \
    HF_HUB_OFFLINE=1 \
    COUPLED_MAMBA_CACHE=/var/cache/coupled-mamba \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860
# A short clip is analysed: what librosa and the kernels compile at their first use is then in the image, for machines
# like the one it is built on; others compile it once more. It lies apart from the visitors' files, whose folder is often
# covered by another one; and it has to lie where numba may write, or librosa does not load.
RUN python -c 'from app.service import warm; warm()'
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/', timeout=4).close()"]
CMD ["python", "app.py"]
