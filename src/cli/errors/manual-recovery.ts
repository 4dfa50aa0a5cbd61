import type { ManualRecovery, StuckStep } from '../../core/errors.ts';
import { printable, typed } from '../output/text.ts';

/** Returns the lines of a manual recovery: the object, and the commands to see it and to clear it. */
export function manualRecoveryText({ what, look, clear }: ManualRecovery): readonly string[] {
  return [
    `it is: ${printable(what)}`,
    ...look.map((argv) => `look:  ${printable(typed(argv))}`),
    ...clear.map((argv) => `clear: ${printable(typed(argv))}`),
  ];
}

/**
 * Returns the lines about the holders of an object that prevent the undo of a step, and the
 * commands that make them release the object.
 */
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

/** Returns `manualRecovery` for a JSON answer: command lines as typed in a shell. */
export function manualRecoveryData({ what, look, clear }: ManualRecovery): {
  readonly what: string;
  readonly look: readonly string[];
  readonly clear: readonly string[];
} {
  return { what, look: look.map(typed), clear: clear.map(typed) };
}
