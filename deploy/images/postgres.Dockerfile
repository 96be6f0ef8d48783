# PostgreSQL from Debian packages; a stand-in for the official postgres:<version>.
ARG BASE=millrace-debian:trixie
FROM ${BASE}

# Without this setting the package creates a cluster of its own; the entrypoint creates one in PGDATA.
ARG VERSION=17
RUN mkdir -p /etc/postgresql-common \
 && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-${VERSION} \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
 && mkdir -p /docker-entrypoint-initdb.d

COPY postgres-entrypoint /usr/local/bin/

# The data directory's path contains the version, as in the official image since 18.
ENV PATH=/usr/lib/postgresql/${VERSION}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PGDATA=/var/lib/postgresql/${VERSION}/docker
VOLUME /var/lib/postgresql
EXPOSE 5432
# SIGINT is the fast shutdown: it ends all sessions cleanly. SIGTERM would wait for clients to disconnect.
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres-entrypoint"]
CMD ["postgres"]
