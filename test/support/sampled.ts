export const isWhole = process.env['BOFH_MATRIX'] === 'whole';

/**
 * Where a long sweep tries its fault in `npm test`: at one place of `period`, at least at one. The first depends on the title, so that
 * similar sweeps together have all of them. With BOFH_MATRIX=whole at every place: the tables of docs/tables/ are made so.
 */
export function sampled<T>(places: readonly T[], title: string, period = 30): readonly T[] {
  if (isWhole || places.length < 3) return places;
  const every = Math.min(period, places.length);
  const first = Buffer.from(title).reduce((sum, byte) => sum + byte, 0) % every;
  return places.filter((_, index) => index % every === first);
}
