import { printable } from '../../output/text.ts';

/**
 * Says which settings of a copied configuration keep the copy and the original from running at
 * once.
 */
export function sharedLines(of: {
  readonly shared: readonly string[];
  readonly config: string;
  readonly other: string;
}): readonly string[] {
  if (of.shared.length === 0) return [];
  const names = of.shared.join(', ');
  return [`${names}: as in ${of.other}; change it in ${printable(of.config)} before both guests run`];
}
