import { onBtrfs, putState } from '../../world/btrfs.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** `btrfs scrub start -B -R PATH` */
export function scrub({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  putState(world, at.mount, { ...at.state, scrubbed: 'finished' });
  const { errors = 0 } = at.state;
  const said = `scrub done for ${around(at.state)}\n${statusText('finished', errors)}`;
  return errors === 0 ? ok(said) : failed(3, 'ERROR: there are uncorrectable errors', said);
}

/** `btrfs scrub status -R PATH` */
export function scrubStatus({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  const { scrubbed, errors = 0 } = at.state;
  return ok(
    `UUID:             ${around(at.state)}\n${statusText(scrubbed, scrubbed === 'finished' ? errors : 0)}`,
  );
}

/**
 * Returns the UUID that a scrub prints. The model uses that of the first subvolume instead of that
 * of the filesystem.
 */
function around({ subvolumes }: { readonly subvolumes: readonly { readonly uuid: string }[] }): string {
  return subvolumes[0]?.uuid ?? '';
}

function statusText(state: 'finished' | 'running' | undefined, errors: number): string {
  const head =
    state === undefined
      ? '\tno stats available\n'
      : `Scrub started:    Fri Nov 20 23:09:06 2026\nStatus:           ${state}\nDuration:         0:00:00\n`;
  const counts = {
    ...{ data_extents_scrubbed: 48, tree_extents_scrubbed: 26, data_bytes_scrubbed: 3145728 },
    ...{ tree_bytes_scrubbed: 425984, read_errors: 0, csum_errors: errors, verify_errors: 0, no_csum: 0 },
    ...{ csum_discards: 0, super_errors: 0, malloc_errors: 0, uncorrectable_errors: errors },
    ...{ unverified_errors: 0, corrected_errors: 0, last_physical: 72876032 },
  };
  return (
    head +
    Object.entries(counts)
      .map(([name, count]) => `\t${name}: ${count}\n`)
      .join('')
  );
}

/** `btrfs balance start -dusage=N -musage=N PATH`: the model has no block groups. */
export function balance(call: ToolCall, words: readonly string[]): ReturnType<ToolModel> {
  const filters = words.filter((word) => /^-[dm]usage=\d+$/.test(word));
  const { words: paths } = readOptions(
    { ...call, argv: words.filter((word) => !filters.includes(word)) },
    {},
  );
  if (filters.length === 0) throw unmodelled(call, 'without a filter it waits ten seconds');
  const [path = ''] = paths;
  const at = onBtrfs(call.world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  if (at.state.balance !== undefined)
    return failed(1, "ERROR: unable to start balance, another exclusive operation 'balance' in progress");
  return ok('Done, had to relocate 1 out of 3 chunks\n');
}

/** `btrfs balance status PATH` */
export function balanceStatus({ world }: ToolCall, [path = '']: readonly string[]): ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return failed(1, `ERROR: not a btrfs filesystem: ${path}`);
  const { balance: state } = at.state;
  if (state === undefined) return ok(`No balance found on '${path}'\n`);
  return failed(
    1,
    '',
    `Balance on '${path}' is ${state}\n3 out of about 4 chunks balanced (4 considered),  25% left\n`,
  );
}
