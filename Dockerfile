# The service as a small image that runs as nobody in particular and writes to /data alone.
# docker build --tag gpt-plugin .

# requirements/runtime.txt is locked on this version
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/plugin
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/plugin/bin/python -m pip install --require-hashes --no-deps -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY .well-known .well-known
COPY plugin plugin
# the build backend is in the lock, so that nothing unpinned is fetched; then it has served its time
RUN /opt/plugin/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/plugin/bin/python -m pip install --no-deps --no-index dist/*.whl
# data, each file checked by its hash; without them the image would have no models of its own
RUN /opt/plugin/bin/plugin models fetch --dir /opt/plugin/share/gpt-plugin/models
RUN /opt/plugin/bin/python -m pip uninstall --yes --quiet \
        editables hatchling packaging pathspec pluggy tomlkit trove-classifiers pip setuptools


FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="gpt-plugin" \
      org.opencontainers.image.description="A ChatGPT-style plugin service behind bearer auth" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/plugin/bin:$PATH \
    PLUGIN_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# a named volume takes owner and mode of the directory that it is first mounted over
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/plugin /opt/plugin
VOLUME /data
# a manifest of one's own is mounted here, as .well-known/
WORKDIR /srv/plugin
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PLUGIN_PORT') or 8000), timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["plugin", "serve", "--host", "0.0.0.0"]
