#!/bin/bash
# One broker in KRaft mode: clients come with SCRAM-SHA-512, the user's name and password from
# /etc/kafka-user; tools in this pod come without.
set -euo pipefail
data=/var/lib/kafka/data
cat >/tmp/server.properties <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9095
listeners=CLIENTS://0.0.0.0:9092,TOOLS://127.0.0.1:9094,CONTROLLER://127.0.0.1:9095
advertised.listeners=CLIENTS://kafka:9092,TOOLS://127.0.0.1:9094
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,TOOLS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=TOOLS
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
log.dirs=$data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
message.max.bytes=2097152
END
if [ ! -f $data/meta.properties ]; then
  java -cp '/opt/kafka/*' -Xmx128m kafka.tools.StorageTool format --cluster-id=4L6g3nShT-eMCtK--X86sw \
    -c /tmp/server.properties \
    --add-scram "SCRAM-SHA-512=[name=$(cat /etc/kafka-user/username),password=$(cat /etc/kafka-user/password)]"
fi
exec java -cp '/opt/kafka/*' -Xms512m -Xmx512m -XX:+UseSerialGC kafka.Kafka /tmp/server.properties
