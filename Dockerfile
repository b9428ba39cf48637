# syntax=docker/dockerfile:1
FROM node:22-bookworm-slim AS libraries
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev

FROM python:3.12-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt tools/trim_packages.py /tmp/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes --requirement /tmp/requirements.txt \
    && /opt/venv/bin/python /tmp/trim_packages.py
WORKDIR /build
COPY requirements-tagger.txt ./
COPY tools/install_tagger.sh tools/
COPY classifier/__init__.py classifier/
COPY classifier/core classifier/core
COPY classifier/fitting/__init__.py classifier/fitting/
COPY classifier/fitting/tagger/ classifier/fitting/tagger/
RUN PYTHON=/opt/venv/bin/python sh tools/install_tagger.sh

FROM python:3.12-slim-bookworm AS help
WORKDIR /build
COPY requirements-docs.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements-docs.txt
COPY . .
RUN PYTHON=python sh tools/build_help.sh

FROM python:3.12-slim-bookworm
# librosa's compiled functions are kept where its user may write, for any processor of the architecture.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 GENREWEB_VAR=/data NUMBA_CACHE_DIR=/opt/numba NUMBA_CPU_NAME=generic
RUN useradd --system --uid 10001 --home-dir /data genreweb && install -d -o genreweb -g genreweb /data /opt/numba
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY . .
COPY --from=libraries /app/node_modules node_modules
COPY --from=help /build/docs/_build docs/_build
USER genreweb
RUN python tools/compile_librosa.py
VOLUME /data
EXPOSE 8000
# A web server by default; compose.yaml starts the workers and the scheduler from the same image.
CMD ["sh", "-c", "python manage.py prepare && exec gunicorn genreweb.wsgi:application --bind 0.0.0.0:8000 --worker-class genreweb.web_worker.BufferingWorker --workers 2 --threads 16 --preload --timeout 120 --worker-tmp-dir /dev/shm --no-control-socket"]
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s \
    CMD ["python", "tools/healthcheck.py"]
