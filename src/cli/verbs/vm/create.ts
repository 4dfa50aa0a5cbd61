import { resolve } from 'node:path';
import { atomic } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize, parseSize } from '../../../core/units.ts';
import { type Members, ownAnd } from '../../../replica/hosts.ts';
import { type CreatedVm, createVm, planCreate } from '../../../vm/create.ts';
import { checkCreate, type CheckedCreate } from '../../../vm/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmCreate } from '../../output/answers/index.ts';
import { type Options, saidIn, wholeIn } from '../../runtime/options.ts';
import { changeUnasked } from '../drbd/recipe.ts';
import { addressesIn } from '../drbd/options.ts';
import { warnOfVersions } from '../drbd/versions.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn, untilInterrupted } from '../../runtime/session.ts';

/** `bofh vm create NAME` */
export async function create(runtime: Runtime, name: string, options: Options): Promise<number> {
  const request = requestOf(name, options, (path) => pathOn(runtime, path));
  return changeUnasked<Members | undefined, CreatedVm>(runtime, async ({ engine: here }) => {
    const disksOn = request.drbd === undefined ? undefined : await ownAnd(here, request.drbd);
    if (disksOn !== undefined) await warnOfVersions(runtime, disksOn);
    return {
      members: disksOn,
      act: async ({ host, site, engine }, members) => {
        const planning = planCreate({ host, site, request, disksOn: members });
        const plan = await untilInterrupted(runtime, planning);
        return await atomic(`vm create ${name}`, (tx) => createVm(tx, plan, engine));
      },
      answer: (vm): Answer<VmCreate> => {
        const { swap = null, peer = null, domid = null } = vm;
        const data = { ...vm, swap, peer, domid };
        return { data, lines: createdInWords(data, request) };
      },
    };
  });
}

/** What was typed, as a request. Throws UsageError for what cannot be meant. */
export function requestOf(
  name: string,
  options: Options,
  at = (path: string) => resolve(path),
): CheckedCreate {
  const said = saidIn(options);
  const source = /^tar:(?<path>.+)$/.exec(said('source') ?? '')?.groups?.path;
  if (source === undefined)
    throw new UsageError(`"${said('source') ?? ''}" is no source; write --source tar:FILE`);
  const [swap, kernel, ramdisk] = [said('swap'), said('kernel'), said('ramdisk')];
  return checkCreate({
    name,
    source: { type: 'tar', path: at(source) },
    size: sizeOf('--size', said('size') ?? ''),
    swap: swap === undefined ? 0 : sizeOf('--swap', swap),
    memory: sizeOf('--memory', said('memory') ?? '256m'),
    vcpus: wholeIn(said)('vcpus') ?? 1,
    ...optional('vg', said('vg')),
    ...optional('bridge', said('bridge')),
    ...optional('mac', said('mac')),
    ...optional('kernel', kernel === undefined ? undefined : at(kernel)),
    ...optional('ramdisk', ramdisk === undefined ? undefined : at(ramdisk)),
    ...optional('drbd', said('drbd')),
    ...addressesOf(said('address')),
    start: options.start === true,
  });
}

function sizeOf(option: string, text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${option}: ${error.message}`, { cause: error, remedy: error.remedy });
  }
}

function addressesOf(text: string | undefined): { addresses?: Readonly<Record<string, string>> } {
  return text === undefined ? {} : { addresses: addressesIn(text, '--address') };
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: string });
}

function createdInWords(made: VmCreate, request: CheckedCreate): readonly string[] {
  const swap = made.swap === null ? '' : `, swap ${made.swap} (${formatSize(request.swap)})`;
  return [
    `${made.name} is made: root ${made.root} (${formatSize(request.size)})${swap}, configuration ${made.config}`,
    ...(made.peer === null
      ? []
      : [`its disks are on ${made.peer} as well: bofh vm move ${made.name} ${request.drbd ?? ''}`]),
    made.domid === null
      ? `start it with: bofh xen start ${made.name}`
      : `${made.name} runs as domain ${String(made.domid)}`,
  ];
}
