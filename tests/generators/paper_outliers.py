"""The outliers of the preset `paper-fig4` at its greatest width as test data: 100 networks of each law, five digits.

Made by  `verify run paper-fig4 --store fig4.sqlite`  and
         `python tests/generators/paper_outliers.py fig4.sqlite > tests/data/paper_outliers.json`.
"""

from __future__ import annotations

import json
import sys

from verify.keeping.store import Store


def main(path: str) -> None:
    with Store.open(path) as store:
        widest = max(cell.width for cell in store.sweep().cells())
        cells = {cell.key for cell in store.sweep().cells() if cell.width == widest}
        found: dict[str, list[list[float]]] = {key: [] for key in sorted(cells)}
        for trial in store.trials():
            if trial.cell in cells:
                (sample,) = trial.samples.values()
                found[trial.cell].append([float(f"{x:.5g}") for x in sample.outliers])
    print("{")
    print(
        ",\n".join(f"{json.dumps(key)}: {json.dumps(values, separators=(',', ':'))}" for key, values in found.items())
    )
    print("}")


if __name__ == "__main__":
    main(sys.argv[1])
