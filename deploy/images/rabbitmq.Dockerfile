# RabbitMQ with its console, from Debian packages; a stand-in for the official rabbitmq:<version>-management.
ARG BASE=millrace-debian:trixie
FROM ${BASE}

# The package must have the version that the tag names. Its installation creates an Erlang cookie, which is removed: it would
# be the same secret in every container.
ARG VERSION=4.0
RUN apt-get update \
 && apt-get install --yes --no-install-recommends rabbitmq-server \
 && dpkg-query --show --showformat '${Version}' rabbitmq-server | grep --quiet "^${VERSION}\." \
 && apt-get clean \
 && rm -rf /etc/rabbitmq/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie /var/log/rabbitmq/* \
    /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log

# By default, the default user may only log in over the loopback interface, which nobody outside the container can reach.
RUN mkdir /etc/rabbitmq/conf.d \
 && echo 'loopback_users = none' > /etc/rabbitmq/conf.d/10-container.conf \
 && echo '[rabbitmq_management,rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins \
 && chown -R rabbitmq:rabbitmq /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq

COPY rabbitmq-entrypoint /usr/local/bin/

# RABBITMQ_LOGS=- writes the log to stdout.
ENV RABBITMQ_LOGS=- HOME=/var/lib/rabbitmq
VOLUME /var/lib/rabbitmq
EXPOSE 4369 5672 15672 15692 25672
ENTRYPOINT ["rabbitmq-entrypoint"]
CMD ["rabbitmq-server"]
