"""The trials of the preset `quick` as test data: the statistics of 300 random networks, six digits each.

Made by  `verify run quick --store quick.sqlite`  and
         `python tests/generators/quick_trials.py quick.sqlite > tests/data/quick_trials.json`.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from typing import Any

import numpy as np

from verify.keeping.store import Store


def main(path: str) -> None:
    with Store.open(path) as store:
        columns: defaultdict[tuple[str, str], defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for trial in store.trials():
            for label, sample in trial.samples.items():
                values = {
                    "mean": sample.mean,
                    "second_moment": sample.second_moment,
                    "largest": sample.largest,
                    "outliers": float(np.mean(sample.outliers)),
                }
                for statistic, value in values.items():
                    columns[trial.cell, label][statistic].append(float(f"{value:.6g}"))
        rows: list[dict[str, Any]] = [{"cell": c, "metric": m, **found} for (c, m), found in columns.items()]
        print('{"sweep": ' + store.sweep().to_json() + ', "rows": [')
        print(",\n".join(json.dumps(row) for row in rows))
        print("]}")


if __name__ == "__main__":
    main(sys.argv[1])
