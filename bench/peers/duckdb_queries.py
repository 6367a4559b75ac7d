"""duckdb_queries.py REQUEST.json: times questions in DuckDB over the live files of Delta tables; prints JSON by question."""

import glob
import json
import statistics
import sys
import time

import duckdb


def live_files(folder):
    """The files that the Delta log names and has not removed. Checkpoints only repeat what the JSON commits say here."""
    files = {}
    for entry in sorted(glob.glob(f"{folder}/_delta_log/*.json")):
        with open(entry, encoding="utf-8") as lines:
            for line in lines:
                action = json.loads(line)
                if "add" in action:
                    files[action["add"]["path"]] = True
                if "remove" in action:
                    files.pop(action["remove"]["path"], None)
    return [f"{folder}/{path}".replace("%3D", "=").replace("%3A", ":") for path in files]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set timezone='UTC'")
    for table in request["tables"]:
        files = ", ".join("'" + path.replace("'", "''") + "'" for path in live_files(f"{request['lake']}/{table}"))
        if files:
            connection.execute(f'create view "{table}" as select * from read_parquet([{files}], hive_partitioning = false)')
    times = {}
    for question in request["questions"]:
        connection.execute(question["sql"]).fetchall()
        millis = []
        for _ in range(request["repeats"]):
            started = time.perf_counter()
            connection.execute(question["sql"]).fetchall()
            millis.append((time.perf_counter() - started) * 1000)
        times[question["name"]] = {"warm_ms": statistics.median(millis)}
    json.dump(times, sys.stdout)


main()
