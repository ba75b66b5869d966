/** How big the tiles of the grid are. */

export interface TileSize {
  width: number;
  height: number;
}

const ASPECT = 16 / 9;

/** The largest tiles of 16:9 with which `count` of them fit a box, with `gap` between; whole pixels. */
export function fitTiles(boxWidth: number, boxHeight: number, count: number, gap: number): TileSize {
  let best: TileSize = { width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const widest = (boxWidth - gap * (columns - 1)) / columns;
    const highest = (boxHeight - gap * (rows - 1)) / rows;
    const width = Math.floor(Math.min(widest, highest * ASPECT));
    if (width > best.width) best = { width, height: Math.floor(width / ASPECT) };
  }
  return best;
}
