# Millrace built from source: the door, the four workers and ops in one image. The command chooses the program.
#
#   docker build -f deploy/images/millrace.Dockerfile -t millrace .
#   docker run millrace orders-worker
FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
# The queries were checked when they were committed; no database is asked here.
ENV SQLX_OFFLINE=true
RUN cargo build --release --locked --bins -p producer-api -p millrace-workers -p millrace-ops \
 && cd target/release \
 && mkdir /programs \
 && cp producer-api auth-worker users-worker orders-worker payments-worker ops /programs/

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /programs/ /usr/local/bin/
# Whoever may publish to a queue can nest tables in a header; the AMQP client descends into them on its thread's stack.
ENV RUST_MIN_STACK=67108864
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080 9090
CMD ["producer-api"]
