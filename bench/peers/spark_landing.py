"""Lands a topic with Spark Structured Streaming on two cores, once through (trigger availableNow), and prints its cost as JSON.

Run as: spark_landing.py parquet|delta|course BROKERS TOPIC FOLDER JARS
"""
import json
import os
import sys
import threading
import time
from pathlib import Path

JOB, BROKERS, TOPIC, FOLDER, JARS = sys.argv[1:]
os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-memory 4g --jars {JARS} pyspark-shell"
os.environ["PYSPARK_PYTHON"] = sys.executable

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json, udf
from pyspark.sql.types import BooleanType, IntegerType, StringType, StructField, StructType, TimestampType

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SHARED = {
    "event_id": StringType(), "event_type": StringType(), "player": StringType(), "event_time": TimestampType(),
    "Host": StringType(), "User-Agent": StringType(), "Accept": StringType(),
}
OWN = {
    "purchase_weapon": {"weapon": StringType(), "wallet_before": IntegerType(), "wallet_after": IntegerType()},
    "sell_weapon": {"weapon": StringType(), "wallet_before": IntegerType(), "wallet_after": IntegerType()},
    "attack": {"attacker": StringType(), "defender": StringType(), "weapon": StringType(), "defender_killed": BooleanType()},
    "dig_for_gold": {"gold_found": IntegerType(), "wallet_before": IntegerType(), "mine": StringType()},
    "join_guild": {"guild": StringType(), "wallet_before": IntegerType()},
    "login": {"session": StringType(), "level": IntegerType()},
}


def schema(*groups):
    fields = {name: kind for group in groups for name, kind in group.items()}
    return StructType([StructField(name, kind) for name, kind in fields.items()])


def family():
    """This process and all below it, as (CPU seconds, resident bytes)."""
    found, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            # Its own CPU and that of children it has waited for; resident pages.
            found[int(entry.name)] = (sum(map(int, fields[11:15])) / TICKS, int(fields[21]) * PAGE)
    waiting, cpu, resident = [os.getpid()], 0.0, 0
    while waiting:
        pid = waiting.pop()
        waiting += parents.get(pid, [])
        own = found.get(pid, (0, 0))
        cpu, resident = cpu + own[0], resident + own[1]
    return cpu, resident


def source():
    reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", BROKERS)
    return reader.option("subscribe", TOPIC).option("startingOffsets", "earliest").load()


def write(frame, name, layout, by=None):
    writer = frame.writeStream.format(layout).trigger(availableNow=True)
    writer = writer.option("checkpointLocation", f"{FOLDER}/checkpoints/{name}")
    return (writer.partitionBy(by) if by else writer).start(f"{FOLDER}/tables/{name}")


def one_query(layout):
    whole = schema(SHARED, *OWN.values())
    events = source().select(from_json(col("value").cast("string"), whole).alias("event")).select("event.*")
    return [write(events.withColumnRenamed("User-Agent", "user_agent"), "events", layout, by="event_type")]


def query_for_each_type():
    queries = []
    for name, own in OWN.items():
        raw = source().select(col("value").cast("string").alias("raw"), col("timestamp").cast("string").alias("appended"))
        wanted = udf(lambda text, name=name: json.loads(text)["event_type"] == name, BooleanType())
        parsed = from_json("raw", schema(SHARED, own)).alias("event")
        queries.append(write(raw.filter(wanted("raw")).select("raw", "appended", parsed).select("raw", "appended", "event.*"), name, "parquet"))
    return queries


builder = SparkSession.builder.appName("landing").master("local[2]").config("spark.ui.enabled", "false")
builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.log.level", "ERROR").config("spark.sql.shuffle.partitions", "4")
if JOB == "delta":
    # Few partitions of Delta's own snapshots: the default of 50 costs seconds a commit on two cores.
    builder = builder.config("spark.databricks.delta.snapshotPartitions", "2")
    builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    builder = builder.config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
spark = builder.getOrCreate()
spark.range(1).count()

peak, ended = 0, threading.Event()


def watch():
    global peak
    while not ended.wait(0.5):
        peak = max(peak, family()[1])


threading.Thread(target=watch, daemon=True).start()
cpu, begun = family()[0], time.monotonic()
queries = query_for_each_type() if JOB == "course" else one_query(JOB)
for query in queries:
    query.awaitTermination()
    if query.exception():
        raise query.exception()
seconds, cpu = time.monotonic() - begun, family()[0] - cpu
ended.set()
names = OWN if JOB == "course" else ["events"]
rows = sum(spark.read.format("delta" if JOB == "delta" else "parquet").load(f"{FOLDER}/tables/{name}").count() for name in names)
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak >> 20, "rows": rows}))
