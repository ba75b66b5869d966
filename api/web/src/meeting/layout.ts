/** How big the tiles of the grid are. */

export interface TileSize {
  width: number;
  height: number;
}

const WIDE = 16 / 9;
const SQUARE = 1;

/**
 * The largest tiles with which `count` of them fit a box, with `gap` between; whole pixels. They are 16:9; in a box
 * that is higher than wide, as on a phone held upright, square where that makes them larger.
 */
export function fitTiles(boxWidth: number, boxHeight: number, count: number, gap: number): TileSize {
  const aspects = boxWidth >= boxHeight ? [WIDE] : [WIDE, SQUARE];
  let best: TileSize = { width: 0, height: 0 };
  for (const aspect of aspects) {
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns);
      const widest = (boxWidth - gap * (columns - 1)) / columns;
      const highest = (boxHeight - gap * (rows - 1)) / rows;
      const width = Math.floor(Math.min(widest, highest * aspect));
      const size = { width, height: Math.floor(width / aspect) };
      if (size.width * size.height > best.width * best.height && width > 0) best = size;
    }
  }
  return best;
}
