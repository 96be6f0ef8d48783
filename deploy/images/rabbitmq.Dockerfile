# RabbitMQ with its console, from Debian packages; a stand-in for the official rabbitmq:<version>-management.
ARG BASE=millrace-debian:trixie
FROM ${BASE}

# The tag names a version, so the package must be of that version. The cookie that its installation made
# would be the same secret in every container.
ARG VERSION=4.0
RUN apt-get update \
 && apt-get install --yes --no-install-recommends rabbitmq-server \
 && dpkg-query --show --showformat '${Version}' rabbitmq-server | grep --quiet "^${VERSION}\." \
 && apt-get clean \
 && rm -rf /etc/rabbitmq/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie /var/log/rabbitmq/* \
    /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log

# Nobody reaches a container over its loopback, so the default user may log in from elsewhere.
RUN mkdir /etc/rabbitmq/conf.d \
 && echo 'loopback_users = none' > /etc/rabbitmq/conf.d/10-container.conf \
 && echo '[rabbitmq_management,rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins \
 && chown -R rabbitmq:rabbitmq /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq

COPY rabbitmq-entrypoint /usr/local/bin/

# RABBITMQ_LOGS=- is the log on stdout.
ENV RABBITMQ_LOGS=- HOME=/var/lib/rabbitmq
VOLUME /var/lib/rabbitmq
EXPOSE 4369 5672 15672 15692 25672
ENTRYPOINT ["rabbitmq-entrypoint"]
CMD ["rabbitmq-server"]
