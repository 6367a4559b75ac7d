#!/bin/bash
# Starts a Kafka node of a GamePipeline. What only the pod knows, and what is secret, is added to the mounted properties in a file of its own.
set -euo pipefail
umask 077
# A container that starts again in its pod has to join again.
rm -f /tmp/joined

ordinal="${POD_NAME##*-}"
node_id=$((FIRST_NODE_ID + ordinal))
properties=/tmp/server.properties
jaas="org.apache.kafka.common.security.plain.PlainLoginModule required username=\"internal\" password=\"${INTERNAL_PASSWORD}\" user_internal=\"${INTERNAL_PASSWORD}\";"

{
  cat /etc/gamepipe-kafka/server.properties
  echo "node.id=${node_id}"
  echo "listener.name.controller.plain.sasl.jaas.config=${jaas}"
  if [ "${KAFKA_ROLE}" = broker ]; then
    echo "advertised.listeners=CLIENT://${POD_NAME}.${NODES_SERVICE}:9092,INTERNAL://${POD_NAME}.${NODES_SERVICE}:9091"
    echo "listener.name.internal.plain.sasl.jaas.config=${jaas}"
    # Newer clusters tell pods the zone of their node; where they do not, copies are spread over brokers alone.
    if [ -n "${ZONE:-}" ]; then echo "broker.rack=${ZONE}"; fi
  fi
} > "${properties}"

tls=/etc/gamepipe-kafka-tls
# A key need not end with a new line, and would run into the certificate.
if [ -e "${tls}/tls.key" ]; then { cat "${tls}/tls.key"; echo; cat "${tls}/tls.crt"; } > /tmp/client.pem; fi

cat > /tmp/client.properties <<EOF
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="internal" password="${INTERNAL_PASSWORD}";
EOF

# Writes the cluster's id on a new volume, and the roles' user into a new cluster. A volume that has an id keeps it; one with another id is refused.
format=(--cluster-id "${CLUSTER_ID}" --config "${properties}" --ignore-formatted)
if [ "${KAFKA_ROLE}" = controller ]; then
  format+=(--add-scram "SCRAM-SHA-512=[name=gamepipe,password=${CLIENT_PASSWORD}]")
fi
/opt/kafka/bin/kafka-storage.sh format "${format[@]}"
unset CLIENT_PASSWORD

# Replaced, so that signals reach Kafka itself: SIGTERM moves leaders away and closes the log cleanly.
exec /opt/kafka/bin/kafka-server-start.sh "${properties}"
