# The same image as millrace.Dockerfile, from programs that are already built; the build context is their directory.
# BASE must have a C library that is not older than the one of the machine that built them.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN test -e /etc/ssl/certs/ca-certificates.crt \
 || { apt-get update \
   && apt-get install --yes --no-install-recommends ca-certificates \
   && rm -rf /var/lib/apt/lists/*; }
COPY producer-api auth-worker users-worker orders-worker payments-worker ops /usr/local/bin/
USER 65532:65532
EXPOSE 8080 9090
CMD ["producer-api"]
