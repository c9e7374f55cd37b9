"""The path of the highest score of scores.csv here: a video that the page shows crops of."""
import csv

with open("scores.csv", encoding="utf-8", errors="replace", newline="") as file:
    rows = [row for row in csv.DictReader(file) if row["p_fake"] and row["path"].startswith(("real/", "fake/"))]
print(max(rows, key=lambda row: float(row["p_fake"]))["path"])
