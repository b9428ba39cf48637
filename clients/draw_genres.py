"""Draw the genres of a collection from the table that a site gives.

    genreweb export csv -o tracks.csv
    python draw_genres.py tracks.csv genres.png

Needs pandas and matplotlib. Above, how many tracks have each genre, those that the classifier was unsure of
in a lighter colour; below, how the genres are shared among the years, where the files say one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd

SURE, UNSURE = "#3b6fb5", "#a9c3e6"
_NONE = "none"
_DECADE = 10


def read(path: Path) -> pd.DataFrame:
    """Read the table of a site.

    Raises
    ------
    ValueError
        If it has not the columns of such a table.
    """
    tracks = pd.read_csv(path, encoding="utf-8-sig", dtype={"genre": str, "title": str, "year": "Int64"})
    if missing := {"id", "genre", "unsure", "confidence", "year"} - set(tracks.columns):
        raise ValueError(f"{path} is no table of tracks: it lacks {', '.join(sorted(missing))}")
    return tracks.assign(
        genre=tracks["genre"].fillna(_NONE).replace("", _NONE),
        unsure=tracks["unsure"].astype(str).str.lower().eq("true"),
    )


def counts(tracks: pd.DataFrame) -> pd.DataFrame:
    """Count the tracks of each genre, the most frequent one first: columns ``sure`` and ``unsure``."""
    table = pd.crosstab(tracks["genre"], tracks["unsure"]).reindex(columns=[False, True], fill_value=0)
    table.columns = pd.Index(["sure", "unsure"])
    order = table.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order]


def by_decade(tracks: pd.DataFrame) -> pd.DataFrame:
    """Share of each genre in each decade; empty where no track has a year."""
    dated = tracks.dropna(subset=["year"])
    decades = (dated["year"].astype(int) // _DECADE * _DECADE).rename("decade")
    return pd.crosstab(decades, dated["genre"], normalize="index")


def draw(tracks: pd.DataFrame, target: Path) -> None:
    """Draw both pictures into a file, whose suffix tells its format."""
    table, shares = counts(tracks), by_decade(tracks)
    figure, axes = plt.subplots(
        2 if len(shares) else 1, 1, figsize=(9, 9 if len(shares) else 5), squeeze=False
    )
    above = axes[0][0]
    table.plot.barh(stacked=True, ax=above, color=[SURE, UNSURE], width=0.8)
    above.invert_yaxis()
    above.set(title=f"{len(tracks)} tracks", xlabel="tracks", ylabel="")
    if len(shares):
        below = axes[1][0]
        shares.plot.bar(stacked=True, ax=below, colormap="tab20", width=0.9)
        below.set(ylabel="share", xlabel="decade")
        below.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(target, bbox_inches="tight", dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the genres of a collection.")
    parser.add_argument("table", type=Path, help="what `genreweb export csv` gave")
    parser.add_argument("picture", type=Path, help="genres.png, .svg or .pdf")
    options = parser.parse_args()
    try:
        tracks = read(options.table)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    draw(tracks, options.picture)


if __name__ == "__main__":
    main()
