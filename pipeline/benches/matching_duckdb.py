"""The matching query in DuckDB over the benchmark's files: FOLDER QUERY TOLERANCES."""
import glob, os, sys, time
import duckdb

folder, query, tolerances = sys.argv[1:4]
con = duckdb.connect()
con.execute("SET threads = 2; SET memory_limit = '2GB'")
for layer in ("unified", "report", "words"):
    con.execute(f"CREATE SCHEMA {layer}")
for layer in ("unified", "report"):
    for table in os.listdir(os.path.join(folder, layer)):
        files = glob.glob(os.path.join(folder, layer, table, "**", "*.parquet"), recursive=True)
        con.execute(f"CREATE VIEW {layer}.{table} AS SELECT * FROM read_parquet({files!r}, union_by_name = true)")
con.execute(f"CREATE TABLE words.po_invoice_match_tolerances AS SELECT * FROM read_csv('{tolerances}', all_varchar = true)")
# The functions that SQL lacks, near enough for time: products of 18 digits each.
con.execute("""
CREATE MACRO multiply_exact(a, b) AS CAST(CAST(a AS DECIMAL(18, 6)) * CAST(b AS DECIMAL(18, 6)) AS DECIMAL(38, 9));
CREATE MACRO divide_exact(a, b) AS CAST(CAST(a AS DOUBLE) / nullif(CAST(b AS DOUBLE), 0) AS DECIMAL(38, 9));
CREATE MACRO round_half_even(a) AS CAST(a AS DECIMAL(38, 9));
CREATE MACRO status_key(a) AS replace(replace(lower(trim(a)), ' ', '_'), '-', '_');
CREATE MACRO non_blank(a) AS CASE WHEN trim(a) <> '' THEN a END;
""")
sql = open(query).read().replace("make_array(", "list_value(")
started = time.time()
con.execute(f"CREATE TEMP TABLE matched AS {sql}")
rows = con.execute("SELECT count(*) FROM matched").fetchone()[0]
print(f"   DuckDB {duckdb.__version__}: matched {rows} rows in {time.time() - started:.2f} s (release build, 2 threads)")
