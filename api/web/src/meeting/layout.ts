/** How big the tiles of the grid are. */

export interface TileSize {
  width: number;
  height: number;
}

const LANDSCAPE = 16 / 9;
const PORTRAIT = 1;

/**
 * The largest tiles with which `count` of them fit a box, with `gap` between; whole pixels. They are 16:9 in a box
 * that is wider than high, and square on a phone held upright.
 */
export function fitTiles(boxWidth: number, boxHeight: number, count: number, gap: number): TileSize {
  const aspect = boxWidth >= boxHeight ? LANDSCAPE : PORTRAIT;
  let best: TileSize = { width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const widest = (boxWidth - gap * (columns - 1)) / columns;
    const highest = (boxHeight - gap * (rows - 1)) / rows;
    const width = Math.floor(Math.min(widest, highest * aspect));
    if (width > best.width) best = { width, height: Math.floor(width / aspect) };
  }
  return best;
}
