export const isWhole = process.env['BOFH_MATRIX'] === 'whole';

/**
 * Where a long sweep tries its fault in `npm test`: at every third place. The first depends on the title, so that similar sweeps
 * together have all of them. With BOFH_MATRIX=whole at every place: the tables of docs/reliability.md are made so.
 */
export function sampled<T>(places: readonly T[], title: string): readonly T[] {
  if (isWhole) return places;
  const first = Buffer.from(title).reduce((sum, byte) => sum + byte, 0) % 3;
  return places.length < 3 ? places : places.filter((_, index) => index % 3 === first);
}
