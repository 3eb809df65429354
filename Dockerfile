# One image for every process: `serve`, `work`, `init`, `sandbox`. Build: docker build -t lms-temis-gateway .
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/gateway
WORKDIR /src
# The dependencies are a layer of their own: a change of our code does not install them anew.
COPY pyproject.toml constraints.txt README.md ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > requirements.txt \
    && /opt/gateway/bin/pip install --constraint constraints.txt --requirement requirements.txt
COPY gateway gateway
RUN /opt/gateway/bin/pip install --no-deps . \
    && /opt/gateway/bin/python -m compileall -q /opt/gateway/lib

FROM python:3.11-slim
RUN groupadd --system --gid 10001 gateway \
    && useradd --system --uid 10001 --gid gateway --home-dir /nonexistent --shell /usr/sbin/nologin gateway \
    && install --directory --owner gateway --group gateway --mode 0700 /var/lib/gateway /etc/gateway
COPY --from=build /opt/gateway /opt/gateway
# Data and keys are two volumes: whoever copies the data must not get the keys with it.
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_DATA_DIR=/var/lib/gateway \
    GATEWAY_KEYS_FILE=/etc/gateway/keys.json
USER 10001:10001
WORKDIR /var/lib/gateway
VOLUME ["/var/lib/gateway", "/etc/gateway"]
EXPOSE 8080
STOPSIGNAL SIGTERM
# For `serve`, and for `work --metrics-port 8080`.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('GATEWAY_PORT', '8080') + '/healthz', timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
