"""count.py TABLE_FOLDER: counts a Delta table's rows with two readers that know nothing of gamepipe; prints JSON."""

import json
import sys

import deltalake
import duckdb


def main():
    folder = sys.argv[1]
    table = deltalake.DeltaTable(folder)
    dataset = table.to_pyarrow_dataset()
    counted = dataset.count_rows()
    # DuckDB reads the same pinned version through Arrow, and the files that the log names by itself.
    duck = duckdb.connect()
    files = table.file_uris()
    if files:
        by_files = duck.execute("select count(*) from read_parquet(?)", [files]).fetchone()[0]
    else:
        by_files = 0
    json.dump({"deltalake": counted, "duckdb": by_files, "version": table.version()}, sys.stdout)


main()
