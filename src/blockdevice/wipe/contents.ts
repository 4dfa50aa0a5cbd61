import type { Key } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { pvType, refuseMember } from '../content/member.ts';
import { hasTable, refusePartitioned } from '../partitions/reads.ts';
import type { Signature } from '../schema.ts';
import type { Magic } from './commands.ts';

/** Returns the key of content that a step of bofh creates; undefined if no step does. */
export function contentKey({ type, usage, uuid }: Magic): Key | undefined {
  if (uuid === null) return undefined;
  if (type === 'crypto_LUKS') return `luks:${uuid}`;
  if (type === pvType) return `pv:${uuid}`;
  return usage === 'filesystem' || usage === 'other' ? `fs:${uuid}` : undefined;
}

/**
 * Returns what must be named before it is erased: a UUID, or the type of content without one, each
 * with its type.
 */
export function namesOf(found: Signature | undefined, magics: readonly Magic[]): ReadonlyMap<string, string> {
  return new Map(
    magics.map(({ type, usage, uuid }) => {
      // The protective MBR of a gpt.
      const kind = type === 'PMBR' ? 'gpt' : type;
      if (usage !== 'partition-table') return [uuid ?? kind, kind];
      return found?.usage === 'partition-table' && found.uuid !== undefined
        ? [found.uuid, kind]
        : [kind, kind];
    }),
  );
}

/**
 * The word in `overwrite` that confirms the loss of content without a signature, which cannot be
 * named.
 */
export const blankConsent = 'blank';

/** RefusedError unless `overwrite` names all contents, by UUIDs or types, and nothing else. */
export function refuseUnnamed(
  device: string,
  asked: {
    /** The names, each with its type; the type is enough if no other content has it. */
    readonly names: ReadonlyMap<string, string>;
    readonly overwrite: readonly string[];
    readonly found: Signature | undefined;
    /** Whether a device without a signature may be erased if `overwrite` is `blank`. */
    readonly blank: 'refused' | 'named';
  },
): void {
  const { found, blank } = asked;
  const names = [...asked.names.keys()];
  const overwrite = asked.overwrite.map((said) => {
    const [name, ...more] = names.filter((each) => asked.names.get(each) === said);
    return name === undefined || more.length > 0 ? said : name;
  });
  if (names.length === 0) {
    refuseBlank(device, { overwrite, found, blank });
    return;
  }
  const missing = names.filter((name) => !overwrite.includes(name));
  const wrong = overwrite.filter((name) => !names.includes(name));
  if (missing.length === 0 && wrong.length === 0) return;
  const inWords = (name: string): string => {
    const type = asked.names.get(name) ?? name;
    return type === name ? type : `${type}, uuid ${name}`;
  };
  const why =
    missing.length === names.length
      ? `${names.length > 1 ? 'they were' : 'it was'} not named`
      : missing.length > 0
        ? `${missing.map(inWords).join(' and ')} was not named`
        : `${wrong.join(' and ')} is not there`;
  throw new RefusedError(`${device} holds ${names.map(inWords).join(' and ')}: ${why}; nothing was erased`, {
    code: 'has-data',
    remedy: `to erase all of it, name all of it: ${overwriteOption(names)}`,
  });
}

function overwriteOption(names: readonly string[]): string {
  const list = names.map((name) => `'${name}'`).join(', ');
  return option(`--overwrite ${names.join(',')}`, `overwrite: [${list}]`);
}

function refuseBlank(
  device: string,
  { overwrite, found, blank }: Omit<Parameters<typeof refuseUnnamed>[1], 'names'>,
): void {
  if (found !== undefined)
    throw new RefusedError(
      `${device} has content (${found.type}) that wipefs does not show; nothing was erased`,
      {
        remedy: `see what it is: blkid -p ${device}`,
      },
    );
  if (blank === 'refused')
    throw new RefusedError(`${device} is blank: there is nothing to erase`, {
      remedy: `to see that it has no signature: wipefs ${device}`,
    });
  if (overwrite.length === 1 && overwrite[0] === blankConsent) return;
  throw new RefusedError(
    `${device} has no known signature, but may still contain data (wiped, or encrypted without a header); nothing was erased`,
    { remedy: `to erase all of it: ${overwriteOption([blankConsent])}` },
  );
}

/**
 * RefusedError for a table with partitions, and for a physical volume of a group, even if blkid
 * shows other content: it reports neither a table beside ambiguous signatures nor the content of an
 * array, and all of it would be erased.
 */
export async function refuseTableOrMember(
  host: ReadHost,
  of: {
    readonly device: string;
    readonly found: Signature | undefined;
    readonly magics: readonly Magic[];
  },
): Promise<void> {
  const { device, found, magics } = of;
  const table = magics.find(({ usage }) => usage === 'partition-table');
  const seen =
    hasTable(found) || table === undefined
      ? found
      : ({ type: table.type, usage: 'partition-table' } as const);
  await refusePartitioned(host, { device, found: seen });
  const uuids = [found, ...magics].flatMap((each) => (each?.type === pvType ? (each.uuid ?? []) : []));
  for (const uuid of new Set(uuids))
    await refuseMember(host, { device, uuid, unseen: 'allowed if named', done: 'erased' });
}

/**
 * RefusedError for a table that wipefs does not erase: one on a device that is not a whole disk.
 */
export function refuseLeft(
  device: string,
  { found, magics }: { readonly found: Signature | undefined; readonly magics: readonly Magic[] },
): void {
  const type = found?.usage === 'partition-table' ? found.type : found?.ptType;
  if (!hasTable(found) || type === undefined || magics.some((magic) => magic.type === type)) return;
  throw new RefusedError(
    `${device} has a partition table (${type}), which wipefs does not erase, because ${device} is not a whole disk`,
    {
      remedy: `see it: wipefs ${device}; then erase it by hand: wipefs --all --force ${device}`,
    },
  );
}
