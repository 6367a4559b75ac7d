"""count.py TABLE [STORAGE_OPTIONS]: counts a Delta table's rows with two readers that know nothing of gamepipe; prints JSON.

TABLE is a folder, or an address with its options as JSON: then the files are read by Arrow for both.
"""

import json
import sys

import deltalake
import duckdb


def main():
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else None
    table = deltalake.DeltaTable(sys.argv[1], storage_options=options)
    dataset = table.to_pyarrow_dataset()
    counted = dataset.count_rows()
    # DuckDB reads the same pinned version through Arrow, and the files that the log names by itself.
    duck = duckdb.connect()
    files = table.file_uris()
    if options is not None:
        rows = dataset.to_table()  # DuckDB finds it by its name.
        by_files = duck.execute("select count(*) from rows").fetchone()[0]
    elif files:
        by_files = duck.execute("select count(*) from read_parquet(?)", [files]).fetchone()[0]
    else:
        by_files = 0
    json.dump({"deltalake": counted, "duckdb": by_files, "version": table.version()}, sys.stdout)


main()
