"""Reads Delta tables with Spark: python spark_tables.py JARS LAKE TABLE..

Prints JSON: table -> its rows, its files, its days, and how many of its files Spark reads for the first of these days.
"""
import glob
import json
import os
import sys

jars, lake, tables = sys.argv[1], sys.argv[2], sys.argv[3:]
os.environ["PYSPARK_SUBMIT_ARGS"] = "--driver-memory 1g --jars %s pyspark-shell" % ",".join(glob.glob(jars + "/*.jar"))
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
os.environ["PYSPARK_PYTHON"] = sys.executable

from pyspark.sql import SparkSession
from pyspark.sql.functions import col

builder = SparkSession.builder.appName("reader").master("local[2]")
settings = {
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()

found = {}
for table in tables:
    rows = spark.read.format("delta").load(os.path.join(lake, table))
    about = {"rows": rows.count(), "files": len(rows.inputFiles())}
    if "_event_date" in rows.columns:
        days = sorted(str(day[0]) for day in rows.select("_event_date").distinct().collect())
        about["days"] = len(days)
        if days:
            plan = rows.where(col("_event_date") == days[0])
            about["files_of_first_day"] = len(plan.inputFiles())
            about["rows_of_first_day"] = plan.count()
    found[table] = about
print(json.dumps(found))
spark.stop()
