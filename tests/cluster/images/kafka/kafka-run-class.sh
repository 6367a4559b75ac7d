#!/bin/bash
# Runs a class of Kafka with the variables that Kafka's own script knows.
# shellcheck disable=SC2086 # each of them holds several words
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
    ${KAFKA_LOG4J_OPTS:--Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG4J_ROOT_LOGLEVEL:-info}} ${KAFKA_OPTS-} \
    -cp "${CLASSPATH:+$CLASSPATH:}/opt/kafka/libs/*" "$@"
