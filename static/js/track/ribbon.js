// The genre over time: per segment a stack of every genre's share, the most probable one in full colour.

const WIDTH = 1000;
const HEIGHT = 100;
const THINNEST = 0.4;
// Equal shares of all genres mean silence.
const LEVEL = 2;

export class Ribbon {
  constructor(svg, { genres, bounds, shares }) {
    this.genres = genres;
    this.bounds = bounds;
    this.shares = shares;
    // The order of the genres is constant, so that each can be followed over time.
    this.winners = shares.map((row) => {
      const most = Math.max(...row);
      return most - Math.min(...row) < LEVEL ? -1 : row.indexOf(most);
    });
    this.#draw(svg);
  }

  // The most probable genres at a moment, as {name, colour, share} with shares from 0 to 1; none if it is silent.
  at(seconds) {
    const place = this.#segment(seconds);
    if (place < 0 || this.winners[place] < 0) return [];
    return this.shares[place]
      .map((share, genre) => ({ ...this.genres[genre], share: share / 1000 }))
      .sort((a, b) => b.share - a.share);
  }

  #segment(seconds) {
    const { bounds } = this;
    if (bounds.length < 2) return -1;
    let low = 0;
    let high = bounds.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (bounds[middle] <= seconds) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #draw(svg) {
    const { genres, bounds, shares, winners } = this;
    const end = bounds.at(-1) || 1;
    const paths = genres.map(() => ({ first: "", other: "" }));
    let silent = "";
    shares.forEach((row, place) => {
      const left = ((bounds[place] / end) * WIDTH).toFixed(2);
      const right = ((bounds[place + 1] / end) * WIDTH).toFixed(2);
      if (winners[place] < 0) {
        silent += `M${left} ${HEIGHT * 0.44}H${right}V${HEIGHT * 0.56}H${left}z`;
        return;
      }
      const sum = row.reduce((total, share) => total + share, 0) || 1;
      let below = 0;
      row.forEach((share, genre) => {
        const bottom = HEIGHT * (1 - below / sum);
        below += share;
        const top = HEIGHT * (1 - below / sum);
        if (bottom - top < THINNEST) return;
        const box = `M${left} ${bottom.toFixed(1)}H${right}V${top.toFixed(1)}H${left}z`;
        paths[genre][genre === winners[place] ? "first" : "other"] += box;
      });
    });
    svg.replaceChildren();
    genres.forEach((genre, place) => {
      append(svg, paths[place].other, "ribbon-other", genre.colour);
      append(svg, paths[place].first, "ribbon-first", genre.colour);
    });
    append(svg, silent, "ribbon-silent", null);
  }
}

function append(svg, d, name, colour) {
  if (!d) return;
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  path.setAttribute("class", name);
  if (colour) path.style.setProperty("--genre", colour);
  svg.append(path);
}
