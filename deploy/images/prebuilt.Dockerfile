# The same image as millrace.Dockerfile, from programs that are already built: the build context has them in `programs/`.
# BASE must have a C library that is not older than that of the machine that built them.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN test -e /etc/ssl/certs/ca-certificates.crt \
 || { apt-get update \
   && apt-get install --yes --no-install-recommends ca-certificates \
   && rm -rf /var/lib/apt/lists/*; }
COPY programs/ /usr/local/bin/
ENV RUST_MIN_STACK=67108864
USER 65532:65532
EXPOSE 8080 9090
CMD ["producer-api"]
