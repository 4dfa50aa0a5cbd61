import { commandLine } from '../../command/index.ts';
import type { Holder } from '../../core/errors.ts';

/** Most holders to show in a text. */
const most = 5;

/** Describes the holders, and how to end each: `mounted on /mnt (mount 41) [umount /mnt]; …`. */
export function inWords(holders: readonly Holder[]): string {
  const system = systemMount(holders);
  if (system !== undefined) return `it holds ${system === '/' ? 'the root filesystem' : system} of this host`;
  const said = holders
    .slice(0, most)
    .map(({ words, free }) => (free === undefined ? words : `${words} [${freeing(free)}]`));
  const more = holders.length - said.length;
  return [...said, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** Returns the commands to run, in this order; undefined if no command would help. */
export function remedyFor(holders: readonly Holder[]): string | undefined {
  if (systemMount(holders) !== undefined) return 'name another device: bofh block tree';
  const lines = [...new Set(holders.flatMap(({ free }) => (free === undefined ? [] : [freeing(free)])))];
  if (lines.length === 0) return undefined;
  const more = lines.length > most ? '; then run the command again to see the others' : '';
  return `end that use first: ${lines.slice(0, most).join('; ')}${more}`;
}

/**
 * Returns `/` or `/usr` if this host's own system is among the mounts: ending its users would end
 * the host.
 */
function systemMount(holders: readonly Holder[]): string | undefined {
  const mounts = holders.flatMap((holder) =>
    holder.kind === 'mount' && holder.namespaceOf === undefined ? [holder.path] : [],
  );
  return ['/', '/usr'].find((path) => mounts.includes(path));
}

function freeing([tool = '', ...argv]: readonly string[]): string {
  return commandLine({ tool, argv });
}
