# The image of all three servers; `irsa` is its entry point.
#
#   make image            builds it, with all that has to be fetched fetched before and checked against its hash
#
# By hand: fill wheels/ (pip download --require-hashes -r requirements/image.txt -d wheels) and dist/ (uv build --wheel),
# then `docker build .`. No step needs a network.
#
# BASE_IMAGE: anything with Python 3.11 or newer and its venv module.
# REQUIREMENTS: image.txt, or image-local.txt for local set-ups, which adds moto, the S3 server behind the gateway.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim

FROM ${BASE_IMAGE} AS dependencies
ARG REQUIREMENTS=image.txt
COPY requirements /requirements
COPY wheels /wheels
# Two environments: the one with pip stays behind in this stage.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/irsa
RUN /opt/build/bin/pip --python /opt/irsa/bin/python install \
      --disable-pip-version-check --no-cache-dir --no-index --find-links /wheels --require-hashes -r "/requirements/${REQUIREMENTS}"

FROM dependencies AS package
COPY dist /dist
RUN /opt/build/bin/pip --python /opt/irsa/bin/python install \
      --disable-pip-version-check --no-cache-dir --no-index --no-deps --prefix /package /dist/irsa-*.whl

FROM ${BASE_IMAGE}
# What the base has for building is of no use to a server, but may be to an intruder.
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
      /usr/lib/python3*/ensurepip /usr/share/python-wheels
COPY --from=dependencies /opt/irsa /opt/irsa
COPY --from=package /package /opt/irsa
# What manifests made for the Go webhook start: they only need this image.
RUN printf '#!/bin/sh\nexec /opt/irsa/bin/irsa webhook "$@"\n' >/webhook && chmod 755 /webhook
ENV PATH=/opt/irsa/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
ENTRYPOINT ["irsa"]
