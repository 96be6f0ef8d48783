# Millrace built from source: the API, all workers and ops in one image. The command chooses the program.
#
#   docker build -f deploy/images/millrace.Dockerfile -t millrace .
#   docker run millrace orders-worker
FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
# The queries were checked against a database before they were committed; the build needs none.
ENV SQLX_OFFLINE=true
RUN cargo build --release --locked --bins -p producer-api -p millrace-workers -p millrace-ops \
 && mkdir /programs \
 && cp target/release/producer-api target/release/ops target/release/*-worker /programs/

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /programs/ /usr/local/bin/
# A publisher can nest tables in a message's headers, and the AMQP client parses them recursively on its thread's stack.
ENV RUST_MIN_STACK=67108864
# A number, so that Kubernetes can verify that it is not root.
USER 65532:65532
EXPOSE 8080 9090
CMD ["producer-api"]
