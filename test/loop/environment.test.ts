import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identityOf, mountEntries, probe, size } from '../../src/blockdevice/index.ts';
import { type ReadHost, tools } from '../../src/command/index.ts';
import { localHost } from '../../src/host/local.ts';
import { addFstab, bind, mount, unmount } from '../../src/mount/operations.ts';
import { interfaces } from '../../src/network/index.ts';
import { scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sh, storage } from './sequence.ts';

// What an administrator may have in the environment must reach no tool: bofh's own is fixed (src/host/setting.ts).

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let called: string;
const before = { ...process.env };

beforeEach(() => {
  disk = storage();
  step = scratch();
  called = disk.path('called');
  mkdirSync('/run/bofh/mnt', { recursive: true, mode: 0o700 });
});

afterEach(() => {
  for (const name of Object.keys(process.env))
    if (!(name in before)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, before);
  disk.clean();
  step.remove();
});

/** A program of each name that bofh uses, which says that it was called and nothing else. */
function wrappers(): string {
  const dir = disk.makeDir('bin');
  for (const name of Object.keys(tools)) {
    writeFileSync(`${dir}/${name}`, `#!/bin/sh\necho "${name}" >> ${called}\necho nonsense\n`);
    chmodSync(`${dir}/${name}`, 0o755);
  }
  return dir;
}

/** Functions and aliases of each name that bofh uses, as a shell takes them from its environment. */
function shellNames(): Readonly<Record<string, string>> {
  const start = disk.path('shellrc');
  const names = Object.keys(tools).filter((name) => /^\w+$/.test(name));
  const body = (name: string): string => `{ echo "${name}" >> ${called}; echo nonsense; }`;
  const lines = names.map(
    (name) => `${name}() ${body(name)}\nalias ${name}='echo ${name} >> ${called}; echo nonsense; :'\n`,
  );
  writeFileSync(start, `shopt -s expand_aliases 2>/dev/null\n${lines.join('')}`);
  const exported = names.map((name) => [`BASH_FUNC_${name}%%`, `() ${body(name)}`] as const);
  return { BASH_ENV: start, ENV: start, ...Object.fromEntries(exported) };
}

/** German numbers: a comma where C has a point. */
function germanLocale(): Readonly<Record<string, string>> {
  const dir = disk.makeDir('locale');
  sh('localedef', '--no-archive', '-i', 'de_DE', '-f', 'UTF-8', `${dir}/de_DE.UTF-8`);
  return {
    LOCPATH: dir,
    LC_ALL: 'de_DE.UTF-8',
    LC_NUMERIC: 'de_DE.UTF-8',
    LANG: 'de_DE.UTF-8',
    LANGUAGE: 'de',
  };
}

const environments: readonly (readonly [string, () => Readonly<Record<string, string>>])[] = [
  ['a locale with commas', germanLocale],
  ['C.UTF-8', () => ({ LC_ALL: 'C.UTF-8', LANG: 'C.UTF-8' })],
  ['another time zone', () => ({ TZ: 'Pacific/Chatham' })],
  ['programs of the same names earlier in PATH', () => ({ PATH: `${wrappers()}:${before.PATH ?? ''}` })],
  ['functions and aliases of those names for every shell', shellNames],
  [
    'what libmount, blkid, findmnt and ls take from it',
    () => {
      writeFileSync(disk.path('other-fstab'), '/dev/none /none ext4\n');
      return {
        ...{ LIBMOUNT_FSTAB: disk.path('other-fstab'), LIBMOUNT_UTAB: disk.path('other-utab') },
        ...{ LIBMOUNT_FORCE_MOUNT2: 'always', BLKID_CONF: '/dev/null', BLKID_FILE: disk.path('other-cache') },
        ...{ LIBSMARTCOLS_DEBUG: 'all', LIBMOUNT_DEBUG: 'all', LIBBLKID_DEBUG: 'all', QUOTING_STYLE: 'c' },
        ...{ TABDIR: '/none', COLUMNS: '20', POSIXLY_CORRECT: '1' },
      };
    },
  ],
];

async function facts(host: ReadHost, device: string) {
  const all = await interfaces(host);
  return {
    signature: await probe(host, device),
    size: await size(host, device),
    identity: await identityOf(host, device),
    // Others come and go.
    mounts: (await mountEntries(host)).filter(({ path }) => ['/', '/proc', '/sys', '/dev'].includes(path)),
    interfaces: all.map(({ received, sent, ...rest }) => ({
      ...rest,
      counted: [typeof received, typeof sent],
    })),
  };
}

describe('the output of programs is the same with', () => {
  it.each(environments)('%s', async (_, environment) => {
    const { device } = disk.ext4('a.img');
    const known = await facts(localHost(), device);
    const added = environment();

    Object.assign(process.env, added);
    const now = await facts(localHost(), device);

    expect(now).toEqual(known);
    expect(now.signature?.type).toBe('ext4');
    expect(existsSync(called)).toBe(false);
  });
});

describe('changes are the same with', () => {
  it.each(environments)('%s', async (_, environment) => {
    const { device } = disk.ext4('a.img');
    const [path, shown, file] = [disk.makeDir('mnt'), disk.makeDir('shown'), disk.path('fstab')];
    writeFileSync(file, '# empty\n');
    const added = environment();
    Object.assign(process.env, added);
    const other = scratch();
    try {
      const mounted = await take(mount, { device, path, mode: 'rw', options: { nodev: true } }, other.host);
      await mounted.run();
      const bound = await take(
        bind,
        { source: path, path: shown, mode: 'ro' },
        other.host,
        'bofh.0123456789ab.2',
      );
      await bound.run();
      expect(mountedPaths(device)).toEqual([path, shown]);
      const line = { file, source: device, target: path, type: 'ext4' };
      const table = await take(addFstab, line, other.host, 'bofh.0123456789ab.3');
      await table.run();
      expect(readFileSync(file, 'utf8')).toBe(`# empty\n${device} ${path} ext4 defaults 0 0\n`);
      for (const each of [table, bound]) await each.goBack();
      const gone = await take(unmount, { path }, other.host, 'bofh.0123456789ab.4');
      await gone.run();
      expect(mountedPaths(device)).toEqual([]);
      await gone.goBack();
      await mounted.goBack();
      expect(mountedPaths(device)).toEqual([]);
    } finally {
      other.remove();
    }
    expect(existsSync(called)).toBe(false);
  });
});

describe('the test', () => {
  it('notices a difference: the locale has commas, and PATH contains the wrappers', () => {
    Object.assign(process.env, germanLocale());
    expect(sh('/usr/bin/printf', '%.1f', '1,5')).toBe('1,5');
    rmSync(called, { force: true });
    process.env.PATH = wrappers();
    expect(sh('blkid')).toBe('nonsense\n');
    expect(existsSync(called)).toBe(true);
    rmSync(called);
    process.env.PATH = before.PATH;
    Object.assign(process.env, shellNames());
    expect(sh('/bin/bash', '-c', 'blkid /dev/null')).toBe('nonsense\n');
    expect(existsSync(called)).toBe(true);
  });
});
