#!/bin/bash
# Ready when the broker takes connections and has joined: no partition has fewer copies in sync than writes need. A rolling update waits for that
# before it stops the next broker. Once joined, taking connections is enough, so that one broker's trouble does not make the others unready.
set -euo pipefail

exec 3<> /dev/tcp/127.0.0.1/9091
if [ ! -e /tmp/joined ]; then
  lacking="$(KAFKA_HEAP_OPTS=-Xmx64m /opt/kafka/bin/kafka-topics.sh --bootstrap-server "${POD_NAME}.${NODES_SERVICE}:9091" \
    --command-config /tmp/client.properties --describe --under-min-isr-partitions)"
  [ -z "${lacking}" ]
  touch /tmp/joined
fi
