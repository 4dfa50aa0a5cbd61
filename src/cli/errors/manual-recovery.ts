import type { ManualRecovery, StuckStep } from '../../core/errors.ts';
import { printable, typed } from '../output/text.ts';

/** What a person can do about a step by hand, one line each: what it is, how to see it, how to clear it. */
export function manualRecoveryText({ what, look, clear }: ManualRecovery): readonly string[] {
  return [
    `it is: ${printable(what)}`,
    ...look.map((argv) => `look:  ${printable(typed(argv))}`),
    ...clear.map((argv) => `clear: ${printable(typed(argv))}`),
  ];
}

/** Who keeps a step from being undone, and what would free it. */
export function holdersInWords({
  holders = [],
  remedy,
}: Pick<StuckStep, 'holders' | 'remedy'>): readonly string[] {
  return [
    ...holders.flatMap(({ words, free }) => [
      `held:  ${printable(words)}`,
      ...(free === undefined ? [] : [`free:  ${printable(typed(free))}`]),
    ]),
    ...(remedy === undefined ? [] : [`help:  ${printable(remedy)}`]),
  ];
}

/** `manualRecovery` for a JSON answer: command lines as a person would type them. */
export function manualRecoveryData({ what, look, clear }: ManualRecovery): {
  readonly what: string;
  readonly look: readonly string[];
  readonly clear: readonly string[];
} {
  return { what, look: look.map(typed), clear: clear.map(typed) };
}
