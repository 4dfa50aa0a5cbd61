import { withBofh } from '../../../bofh.ts';
import { type Bofh } from '../../../connect.ts';
import { parseKeyRef } from '../../../command/index.ts';
import { UsageError } from '../../../core/errors.ts';
import { type Bytes, formatSize } from '../../../core/units.ts';
import { membersOfStack } from '../../../replica/stack.ts';
import type { BlockResize } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { sizeAmong } from '../../runtime/sizes.ts';
import { value } from '../../runtime/verb.ts';
import { planned, twoHosts } from '../drbd/plan.ts';

/** Options of a verb that resizes a stack. */
export const stackOptions = {
  key: value(
    '<KEY>',
    'key of an encrypted device in the stack: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask',
    { read: parseKeyRef },
  ),
  on: value(
    '<HOST,HOST>',
    'the two hosts of a replicated disk in the stack, as ssh or the site file names them',
    { read: twoHosts },
  ),
};

/** A dry run, also of a replicated disk on its two hosts. */
export async function plannedStack(
  runtime: Runtime,
  bofh: Bofh,
  request: Omit<Parameters<typeof membersOfStack>[1], 'host'>,
  act: () => Promise<unknown>,
): Promise<number> {
  const members = await membersOfStack(bofh.engine, { host: bofh.host, ...request });
  return planned(runtime, { bofh, members }, async (simulated) => {
    await withBofh(simulated, act);
  });
}

/** A requested size. */
export type Asked = { readonly size: Bytes } | { readonly by: Bytes } | 'min' | 'max';

/** Parses a size. Throws UsageError for anything but `+5g`, `-1g`, `20g`, `min` or `max`. */
export function sizeOf(text: string): Asked {
  if (text === 'min' || text === 'max') return text;
  const { sign, size } = /^(?<sign>[+-]?)(?<size>[^+-].*)$/.exec(text)?.groups ?? {};
  const forms = '20g, +5g, -1g, min or max';
  if (size === undefined)
    throw new UsageError(`"${text}" is not a size`, { remedy: `write for example ${forms}` });
  const bytes = sizeAmong(size, forms);
  if (sign === '') return { size: bytes };
  return { by: sign === '-' ? -bytes : bytes };
}

/** One line for each layer that changed. */
export function inWords({
  layers,
  roundedFrom,
  granularity,
  warnings,
}: Pick<BlockResize, 'layers' | 'roundedFrom' | 'granularity' | 'warnings'>): readonly string[] {
  const changed = layers.filter(({ when }) => when !== 'unchanged');
  if (changed.length === 0) return ['nothing to do: every layer keeps its size'];
  const rounded =
    roundedFrom === undefined
      ? []
      : [
          `rounded up from ${formatSize(roundedFrom)} to a multiple of ${formatSize(granularity)}, for all layers to fit`,
        ];
  return [
    ...changed.map(({ title, from, to }) => `${printable(title)}: ${formatSize(from)} → ${formatSize(to)}`),
    ...rounded,
    ...warnings.map(printable),
  ];
}
