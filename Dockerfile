# The panel in a container, from the lock files alone.
#
#   docker build -t ktrdr-panel .                   with the embedded backend: works without a KTRDR, and with one
#   docker build -t ktrdr-panel --target panel .    without it, for a KTRDR at an address: far smaller
#
# The base is the one thing that no lock file here names; fix it with its digest where that matters:
#   --build-arg BASE=python:3.13-slim-trixie@sha256:…
ARG BASE=python:3.13-slim-trixie

# What the panel imports. No compiler: every library comes as a wheel, checked by its hash.
FROM ${BASE} AS libraries
COPY requirements/panel.txt /build/
RUN python -m venv --without-pip /opt/panel \
    && pip --python /opt/panel/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
        -r /build/panel.txt

FROM libraries AS libraries-embedded
COPY requirements/run.txt /build/
RUN pip --python /opt/panel/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
        -r /build/run.txt

# The panel itself, apart from its libraries: a change of its source changes one small layer.
FROM libraries AS app
WORKDIR /build
COPY requirements/wheel.txt /build/
RUN python -m venv --without-pip /opt/hatch \
    && pip --python /opt/hatch/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
        -r /build/wheel.txt
COPY pyproject.toml README.md LICENSE /build/
COPY requirements/sbom.cdx.json /build/requirements/
COPY templates /build/templates
COPY static /build/static
COPY panel /build/panel
RUN /opt/hatch/bin/python -m hatchling build -t wheel -d /build/dist \
    && pip --python /opt/panel/bin/python install --no-cache-dir --no-deps --no-index --target /opt/app /build/dist/*.whl

# What every image has: no build tools, no root, one folder that is written to.
FROM ${BASE} AS runtime
RUN groupadd --system --gid 10001 panel \
    && useradd --system --uid 10001 --gid panel --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin panel \
    && install -d -o panel -g panel -m 0700 /var/lib/ktrdr-panel
ENV PATH=/opt/app/bin:/opt/panel/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    KTRDR_PANEL_IN_CONTAINER=1 \
    KTRDR_PANEL_HOST=0.0.0.0 \
    KTRDR_PANEL_PORT=8321 \
    KTRDR_PANEL_DATA_DIR=/var/lib/ktrdr-panel
VOLUME /var/lib/ktrdr-panel
EXPOSE 8321
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, ssl, urllib.request as u; \
e = os.environ; \
scheme, anybody = 'https' if e.get('KTRDR_PANEL_TLS_CERT') else 'http', ssl._create_unverified_context(); \
u.urlopen(scheme + '://127.0.0.1:' + e['KTRDR_PANEL_PORT'] + '/healthz', timeout=4, context=anybody)"]
ENTRYPOINT ["ktrdr-panel"]
CMD ["serve"]

FROM runtime AS panel
COPY --from=libraries /opt/panel /opt/panel
COPY --from=app /opt/app /opt/app
USER 10001:10001

# The last one is what a build without --target makes.
FROM runtime AS embedded
COPY --from=libraries-embedded /opt/panel /opt/panel
COPY --from=app /opt/app /opt/app
USER 10001:10001
