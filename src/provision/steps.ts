import { posix } from 'node:path';
import type { Claims } from '../atomic/operation.ts';
import { type FileStat, inShell, kindInWords, moveAway, type ReadHost, textOf } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { formatSize } from '../core/units.ts';
import { aclChange, aclDifferences, type AclRequest, ownMode, refuseNoAcl } from '../file/acl.ts';
import {
  refuseNoXattrs,
  xattrDifferences,
  xattrInWords,
  type XattrRequest,
  type Xattrs,
  xattrsOf,
} from '../file/xattr.ts';
import { refuseChange } from '../file/refuse-change.ts';
import { refuseContent } from '../file/remove-directory.ts';
import { type Attributes, hasAttributes, sha256 } from '../file/path.ts';
import { textFile } from '../file/text.ts';
import type { Tx } from '../operations.ts';
import {
  inWords as packageInWords,
  keysOf as packageKeys,
  type PackageArgs,
  plannedPackages,
  refuseUnready,
} from '../packages/index.ts';
import { probe } from '../shell/commands.ts';
import { byNumber } from './acl.ts';
import type { DirectoryRequest, PackageRequest } from './description.ts';
import { edited } from './edit/edit.ts';
import { withLines } from './lines.ts';
import type { Resource } from './resource.ts';
import { refuseSudoers } from './sudoers.ts';

/** An object that a description created. */
export interface CreatedObject {
  readonly kind: 'file' | 'directory' | 'link' | 'user' | 'group' | 'package';
  /** Its path, or its name. */
  readonly name: string;
  /** Distinguishes the object from another one with its name, for example the SHA-256 of a file. */
  readonly identity?: string;
}

/** A difference between a description and its host. */
export interface HostChange {
  readonly action: 'create' | 'change' | 'remove';
  readonly kind:
    | 'file'
    | 'directory'
    | 'link'
    | 'lines'
    | 'packages'
    | 'apt-source'
    | 'service'
    | 'ensure'
    | 'script'
    | 'sysctl'
    | 'kernel-module'
    | 'hostname'
    | 'timezone'
    | 'locale'
    | 'group'
    | 'user';
  /**
   * Path of the object; name of a script, user, group, repository, kernel parameter or module,
   * host, time zone or locale; names of packages; or, for `ensure`, the method of `ensure` and the
   * name of the object.
   */
  readonly name: string;
  /** What differs: `mode 0644 → 0600`. */
  readonly details: readonly string[];
  /** The contents of a changed file, unless they are secret. */
  readonly content?: { readonly before: Uint8Array; readonly after: Uint8Array };
  /**
   * The objects that it creates, if `name` does not show all of them. For packages it lists only
   * those that the description names, not their dependencies.
   */
  readonly created?: readonly CreatedObject[];
}

/** A difference, and the step that removes it. */
export interface Step extends HostChange {
  /** `say` adds a detail that only the step can find out. */
  readonly run: (tx: Files, say: (detail: string) => void) => Promise<unknown>;
  /** RefusedError if the step cannot succeed. */
  readonly check?: () => Promise<void>;
  /** Objects that the step uses besides its path, as far as they are known before it runs. */
  readonly claims?: Claims;
}

export type Files = Pick<Tx, 'account' | 'file' | 'kernel' | 'packages' | 'reserve' | 'service' | 'shell'>;

type PathResource = Extract<
  Resource,
  {
    readonly path: string;
    readonly kind: Exclude<
      Resource['kind'],
      'ensure' | 'sysctl' | 'kernel-module' | 'apt-source' | 'hostname' | 'timezone' | 'locale'
    >;
  }
>;
type Wanted = Attributes & AclRequest & XattrRequest;
export type Owners = (owned: DirectoryRequest) => Promise<Wanted>;

/**
 * Returns how an object differs, and the step that removes the difference. Undefined: it does not
 * differ.
 */
export async function stepOf(host: ReadHost, one: PathResource, owners: Owners): Promise<Step | undefined> {
  const { path } = one;
  const there = await host.stat(path);
  const other = (wanted: string): RefusedError =>
    new RefusedError(`${path} is ${kindInWords(there)}, and the description has a ${wanted} there`, {
      remedy:
        there?.kind === 'symlink' && (one.kind === 'lines' || one.kind === 'edit')
          ? `describe the file that it points to: readlink -f ${inShell(path)}`
          : moveAway(path),
    });
  switch (one.kind) {
    case 'file': {
      const { content, secret, user, ...rest } = one.wanted;
      if (user !== undefined) await owners({ owner: user });
      const set = await owners(secret ? { mode: 0o600, ...rest } : rest);
      const text = Buffer.from(content).toString('latin1');
      const asked = { path, content: text, encoding: 'latin1' as const };
      if (there === undefined)
        return {
          ...{ action: 'create', kind: 'file', name: path },
          details: [...inWords(set), ...(secret ? ['secret content'] : [])],
          ...(secret ? {} : { content: { before: new Uint8Array(), after: content } }),
          check: async () => {
            await refuseMissing(host, path, set);
            await refuseSudoers(host, path, content);
          },
          run: (tx) => tx.file.create({ ...asked, ...set }),
        };
      if (there.kind !== 'file') throw other('file');
      const before = await host.readFile(path);
      const isSame = Buffer.compare(before, content) === 0;
      const details = await differences(host, path, there, set);
      if (isSame && details.length === 0) return undefined;
      const head = { action: 'change', kind: 'file', name: path } as const;
      const check = async (): Promise<void> => {
        await refuseChange(host, path);
        await refuseMissing(host, path, set);
        await refuseSudoers(host, path, content);
      };
      if (isSame && hasAttributes(there, present({ uid: set.uid, gid: set.gid })))
        return {
          ...head,
          details,
          check,
          run: (tx) => {
            const { mode, acl, xattrs } = set;
            return tx.file.setAttributes({ path, ...present({ mode, acl, xattrs }) });
          },
        };
      return {
        ...head,
        details: [...details, ...(secret && !isSame ? ['secret content'] : [])],
        ...(secret || isSame ? {} : { content: { before, after: content } }),
        check,
        run: (tx) =>
          tx.file.change({ ...asked, sha256: sha256(before), ...set, ...(secret ? { secret } : {}) }),
      };
    }
    case 'directory': {
      const set = await owners(one.wanted);
      if (there === undefined)
        return {
          ...{ action: 'create', kind: 'directory', name: path, details: inWords(set) },
          check: () => refuseMissing(host, path, set),
          run: (tx) => tx.file.createDirectory({ path, ...set }),
        };
      if (there.kind !== 'directory') throw other('directory');
      const details = await differences(host, path, there, set);
      if (details.length === 0) return undefined;
      return {
        ...{ action: 'change', kind: 'directory', name: path, details },
        check: async () => {
          await refuseChange(host, path);
          await refuseMissing(host, path, set);
        },
        run: (tx) => tx.file.setAttributes({ path, ...set }),
      };
    }
    case 'link': {
      const { to } = one;
      if (there === undefined)
        return {
          ...{ action: 'create', kind: 'link', name: path, details: [`→ ${to}`] },
          run: (tx) => tx.file.link({ path, to }),
        };
      if (there.kind !== 'symlink') throw other('link');
      const from = await host.readLink(path);
      if (from === to) return undefined;
      return {
        ...{ action: 'change', kind: 'link', name: path, details: [`${from} → ${to}`] },
        run: (tx) => tx.file.link({ path, to, from }),
      };
    }
    case 'absent': {
      if (there === undefined) return undefined;
      const head = { action: 'remove', name: path, details: [] } as const;
      if (there.kind === 'symlink')
        return { ...head, kind: 'link', run: (tx) => tx.file.link({ path, to: null }) };
      if (there.kind === 'directory')
        return {
          ...{ ...head, kind: 'directory', check: () => refuseChange(host, path) },
          run: async (tx) => {
            // Not in `check`, because an earlier step may empty the directory.
            const content = (await host.readDir(path)).filter(
              (name) => !name.startsWith('.bofh-gone-') && !one.emptied.includes(posix.join(path, name)),
            );
            refuseContent(path, content);
            return tx.file.removeDirectory({ path, emptied: one.emptied });
          },
        };
      return {
        ...{ ...head, kind: 'file', check: () => refuseChange(host, path) },
        run: (tx) => tx.file.remove({ path }),
      };
    }
    case 'edit': {
      const { secret } = one.wanted;
      if (there !== undefined && there.kind !== 'file') throw other('file');
      const before = there === undefined ? undefined : await textFile(host, path);
      const { text, details } = await edited(path, before?.content, one.wanted);
      if (details.length === 0) return undefined;
      const contents = { before: Buffer.from(before?.content ?? ''), after: Buffer.from(text) };
      return {
        ...{ action: before === undefined ? 'create' : 'change', kind: 'file', name: path },
        details: [...details, ...(secret ? ['secret content'] : [])],
        ...(secret ? {} : { content: contents }),
        check: () => (before === undefined ? Promise.resolve() : refuseChange(host, path)),
        run: (tx) =>
          before === undefined
            ? tx.file.create({ path, content: text, ...(secret ? { mode: 0o600 } : {}) })
            : tx.file.change({ path, content: text, sha256: before.sha256, ...(secret ? { secret } : {}) }),
      };
    }
    case 'lines': {
      if (there === undefined)
        throw new RefusedError(`the description has lines for ${path}, but there is no such file`, {
          code: 'not-found',
          remedy: 'describe the whole file with h.file',
        });
      if (there.kind !== 'file') throw other('file');
      const before = Buffer.from(await host.readFile(path));
      const text = withLines(path, before.toString('latin1'), one.wanted);
      if (text === before.toString('latin1')) return undefined;
      return {
        ...{ action: 'change', kind: 'lines', name: path, details: [] },
        content: { before, after: Buffer.from(text, 'latin1') },
        check: async () => {
          await refuseChange(host, path);
          await refuseSudoers(host, path, Buffer.from(text, 'latin1'));
        },
        run: (tx) => tx.file.change({ path, content: text, encoding: 'latin1', sha256: sha256(before) }),
      };
    }
  }
}

/** Returns the step of a script whose probe reports that there is something to do. */
export async function scriptStep(
  host: ReadHost,
  { name, wanted }: Resource & { readonly kind: 'script' },
): Promise<Step | undefined> {
  if (await host.run(probe(name, wanted.isDone))) return undefined;
  return {
    action: 'change',
    kind: 'script',
    name,
    details: wanted.undo === 'none' ? ['after all other steps; cannot be undone'] : [],
    run: (tx) => tx.shell.run({ name, ...wanted }),
  };
}

/** Returns one step for all packages. */
export async function packagesStep(
  host: ReadHost,
  all: readonly (Resource & { readonly kind: 'package' })[],
): Promise<Step | undefined> {
  const namesOf = (is: (wanted: PackageRequest) => boolean): readonly string[] =>
    all.filter(({ wanted }) => is(wanted)).map(({ name }) => name);
  const args: PackageArgs = {
    install: all
      .filter(({ wanted }) => wanted.absent === undefined)
      .map(({ name, wanted: { version } }) =>
        version === undefined || version === 'latest' ? name : `${name}=${version}`,
      ),
    upgrade: namesOf(({ version }) => version === 'latest'),
    remove: namesOf(({ absent }) => absent === true),
    purge: namesOf(({ absent }) => absent === 'purged'),
    hold: namesOf(({ hold }) => hold === true),
    unhold: namesOf(({ hold }) => hold === false),
  };
  const packages = await plannedPackages(host, args, { sizes: true });
  if (packages.length === 0) return undefined;
  const bytes = packages.reduce((sum, { size = 0 }) => sum + size, 0);
  const purged = packages.some((each) => each.purged === true);
  return {
    action: 'change',
    kind: 'packages',
    name: packages
      .filter(({ follows }) => follows === undefined)
      .map(({ name }) => name)
      .join(' '),
    details: [
      ...packages.map((each) => `${packageInWords(each)}${each.follows === true ? ' as a dependency' : ''}`),
      ...(bytes > 0 ? [`download ${formatSize(bytes)}`] : []),
      ...(purged ? ['nothing restores purged configuration files'] : []),
    ],
    created: packages
      .filter(
        ({ before, after, follows }) => before?.status !== 'installed' && after !== undefined && !follows,
      )
      .map(({ name }) => ({ kind: 'package', name, identity: '' })),
    check: () => refuseUnready(host),
    claims: { changes: packageKeys(packages) },
    run: (tx) => tx.packages.change(args),
  };
}

async function differences(
  host: ReadHost,
  path: string,
  there: FileStat,
  { acl, defaultAcl, xattrs = {}, ...set }: Wanted,
): Promise<readonly string[]> {
  const asked = { stat: there, mode: set.mode, ...present({ acl, defaultAcl }) };
  const { before, after } = (await aclChange(host, path, asked)) ?? {};
  // With an ACL, the group bits of lstat(2) are the mask.
  const now = acl === undefined || before === undefined ? there : { ...there, mode: ownMode(before) };
  return [
    ...(['uid', 'gid', 'mode'] as const).flatMap((each) => {
      const wanted = set[each];
      return wanted === undefined || wanted === now[each]
        ? []
        : [`${words[each]} ${shown(each, now[each])} → ${shown(each, wanted)}`];
    }),
    ...(before === undefined || after === undefined ? [] : aclDifferences(before, after)),
    ...xattrDifferences(await xattrsOf(host, path, Object.keys(xattrs)), xattrs),
  ];
}

/** RefusedError, or ToolError, if the host cannot set what is asked for. */
async function refuseMissing(host: ReadHost, path: string, set: Wanted): Promise<void> {
  await refuseNoAcl(host, path, set);
  await refuseNoXattrs(host, path, set);
}

function inWords(set: Wanted): readonly string[] {
  const attributes = (['uid', 'gid', 'mode'] as const).flatMap((each) => {
    const asked = set[each];
    return asked === undefined ? [] : [`${words[each]} ${shown(each, asked)}`];
  });
  const lists = [
    ['acl', set.acl],
    ['default acl', set.defaultAcl],
  ] as const;
  const xattrs = Object.entries(set.xattrs ?? {}).flatMap(([name, value]) =>
    value === null ? [] : [`xattr ${name} ${xattrInWords(value)}`],
  );
  return [
    ...attributes,
    ...lists.flatMap(([what, all = []]) => all.map((entry) => `${what} ${entry}`)),
    ...xattrs,
  ];
}

const words = { uid: 'owner', gid: 'group', mode: 'mode' } as const;

function shown(what: keyof Attributes, value: number): string {
  return what === 'mode' ? `0${value.toString(8).padStart(3, '0')}` : String(value);
}

/** Translates names to numbers, by /etc/passwd and /etc/group of the host. */
export function ownersOf(host: ReadHost): Owners {
  const files = { user: '/etc/passwd', group: '/etc/group' } as const;
  const find = async (kind: keyof typeof files, name: string): Promise<number | undefined> => {
    if (name === 'root') return 0;
    for (const line of ((await textOf(host, files[kind])) ?? '').split('\n')) {
      const [first, , number] = line.split(':');
      if (first === name && /^\d+$/.test(number ?? '')) return Number(number);
    }
    return undefined;
  };
  const get = async (kind: keyof typeof files, name: string | number): Promise<number> => {
    const found = typeof name === 'number' ? name : await find(kind, name);
    if (found !== undefined) return found;
    throw new RefusedError(`there is no ${kind} ${name} in ${files[kind]}`, {
      code: 'not-found',
      remedy: `create it first, or pass its number`,
    });
  };
  const entries = (all: readonly string[]): Promise<readonly string[]> => byNumber(all, { find, get });
  return async ({ owner, group, mode, acl, defaultAcl, xattrs }) =>
    present({
      uid: owner === undefined ? undefined : await get('user', owner),
      gid: group === undefined ? undefined : await get('group', group),
      mode,
      acl: acl === undefined ? undefined : await entries(acl),
      defaultAcl: defaultAcl === undefined ? undefined : await entries(defaultAcl),
      xattrs: xattrs === undefined ? undefined : inBase64(xattrs),
    });
}

function inBase64(xattrs: NonNullable<DirectoryRequest['xattrs']>): Xattrs {
  return Object.fromEntries(
    Object.entries(xattrs).map(([name, value]) => [
      name,
      value === null ? null : Buffer.from(value).toString('base64'),
    ]),
  );
}
