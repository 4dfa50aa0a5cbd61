import { commandLine } from '../../command/index.ts';
import type { Holder } from '../../errors.ts';

/** Who holds it, and how to end that: `mounted on /mnt (mount 41) [umount /mnt]; …`. */
export function inWords(holders: readonly Holder[]): string {
  return holders
    .map(({ words, free }) => (free === undefined ? words : `${words} [${freeing(free)}]`))
    .join('; ');
}

/** What to run, in this order; undefined where no command would help. */
export function remedyFor(holders: readonly Holder[]): string | undefined {
  const lines = [...new Set(holders.flatMap(({ free }) => (free === undefined ? [] : [freeing(free)])))];
  return lines.length === 0 ? undefined : `end that use first: ${lines.join('; ')}`;
}

function freeing([tool = '', ...argv]: readonly string[]): string {
  return commandLine({ tool, argv });
}
