import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Steps } from '../../src/atomic/index.ts';
import { script, unpack } from '../../src/copy/operations.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { create } from '../../src/filesystem/operations.ts';
import { mount } from '../../src/mount/operations.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let device: string;
let data: string;
let role: string;
let archive: string;

beforeEach(() => {
  disk = storage();
  [device, data] = [disk.blank('root.img', 64), disk.blank('data.img', 64)];
  role = join(disk.makeDir('roles'), 'web');
  const root = disk.makeDir('source');
  for (const name of ['etc', 'proc', 'sys', 'dev', 'run', 'srv', 'tmp']) mkdirSync(join(root, name));
  for (const program of ['sh', 'cat', 'env', 'sleep', 'setsid', 'ls', 'mount', 'readlink'])
    for (const file of [`/bin/${program}`, ...libraries(`/bin/${program}`)]) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      cpSync(file, join(root, file), { dereference: true });
    }
  archive = disk.path('root.tar');
  sh('tar', '--create', '--file', archive, '--directory', root, '.');
});
afterEach(() => disk.clean());

function libraries(program: string): readonly string[] {
  return [...sh('ldd', program).matchAll(/\/\S+\.so\S*/g)].map(([file]) => file);
}

const lines: string[] = [];

/** A new root and a data disk on /srv, in which the role runs. */
function run(text: string, { seconds = 30 }: { readonly seconds?: number } = {}): Promise<string> {
  writeFileSync(role, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  lines.length = 0;
  const engine = {
    ...testEngine(disk.path('state')),
    onProgress: (_: unknown, { line }: { readonly line?: string }) => {
      if (line !== undefined) lines.push(line);
    },
  };
  return sequence(engine, async (tx) => {
    const made = await newRoot(tx);
    const mounts = made.map(({ uuid, path: _, ...of }) => ({ ...of, filesystem: uuid }));
    const environment = { NAME: 'web1', ADDRESS: '192.0.2.10' };
    await tx.step(script, { script: role, mounts, made: 'filesystem', environment, seconds });
    return made[0]?.path ?? '';
  });
}

async function newRoot(tx: Steps) {
  const made: { device: string; uuid: string; type: string; target: string; path: string }[] = [];
  for (const [on, target] of [
    [device, '/'],
    [data, '/srv'],
  ] as const) {
    const { uuid } = (await tx.step(create, { device: on, type: 'ext4' })) as { readonly uuid: string };
    const path = disk.path(target === '/' ? 'root' : 'data');
    mkdirSync(path);
    await tx.step(mount, { device: on, path, mode: 'rw' });
    made.push({ device: on, uuid, type: 'ext4', target, path });
    if (target === '/')
      await tx.step(unpack, {
        ...{ source: archive, root: path, device: on, filesystem: uuid },
        files: [{ path: 'etc/motd', content: 'old\n', mode: 0o644 }],
      });
  }
  return made;
}

const running = (word: string) => sh('sh', '-c', `grep -slz '^${word}$' /proc/[0-9]*/cmdline || true`);

describe('a script in a new root', () => {
  it('sees the root, its data disks and the name servers of this host, and nothing else of the host', async () => {
    const root = await run(
      'echo new >/etc/motd; echo hello >/srv/index; env >/etc/environment; cat /etc/resolv.conf >/etc/servers; ls -d /proc/self /sys/class /dev/null >/etc/kernel; readlink /proc/self >/etc/pid; echo "$0" >/etc/name',
    );
    const text = (path: string) => readFileSync(join(root, path), 'utf8');

    expect(text('etc/motd')).toBe('new\n');
    expect(readFileSync(disk.path('data/index'), 'utf8')).toBe('hello\n');
    expect(
      text('etc/environment')
        .trim()
        .split('\n')
        .filter((line) => !/^(?:PWD|OLDPWD|SHLVL|_)=/.test(line))
        .map((line) => line.replace(/=.*/, ''))
        .toSorted(),
    ).toEqual(['ADDRESS', 'HOME', 'NAME', 'PATH']);
    expect(text('etc/servers')).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
    expect(text('etc/kernel').trim().split('\n')).toEqual(['/dev/null', '/proc/self', '/sys/class']);
    expect(Number(text('etc/pid'))).toBeLessThan(100);
    // Neither the script nor the name servers of this host are in the root afterwards.
    expect(sh('find', root, '-name', 'web', '-o', '-name', 'resolv.conf', '-o', '-name', 'mount')).toBe(
      join(root, 'bin/mount\n'),
    );
  });

  it('is ended with all its processes, so that nothing is busy', async () => {
    const root = await run('cd /srv; setsid sleep 3617 >/dev/null 2>&1 & sleep 0.2; echo started');

    expect(lines).toContain('started');
    sh('umount', disk.path('data'));
    sh('umount', root);
    expect(running('3617')).toBe('');
  });

  it.each([
    [
      'fails',
      'echo one; echo E: no such package >&2; exit 7',
      {},
      /web failed: exit 7; it said last: one \/ E: no such/,
    ],
    [
      'hangs',
      'echo waiting; setsid sleep 3618 & exec sleep 3619',
      { seconds: 1 },
      /did not end within 1 s; it said last: waiting/,
    ],
    ['is killed', 'echo here; kill -9 $$', {}, /web was ended by a signal; it said last: here/],
  ])('that %s is undone, and its last lines are in the error', async (_, text, how, why) => {
    const error = await rejectionOf(run(text, how));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(why);
    expect(['3618', '3619'].map(running)).toEqual(['', '']);
    expect([device, data].map((on) => sh('sh', '-c', `blkid -p ${on} || true`))).toEqual(['', '']);
  });

  it.each(['/run/systemd/resolve/stub-resolv.conf', '../run/resolv.conf'])(
    'has the name servers where resolv.conf is the link %s',
    async (to) => {
      symlinkSync(to, disk.path('source/etc/resolv.conf'));
      sh('tar', '--create', '--file', archive, '--directory', disk.path('source'), '.');

      const root = await run('cat /etc/resolv.conf >/etc/servers');

      expect(readFileSync(join(root, 'etc/servers'), 'utf8')).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
    },
  );

  it.each(['/run/../outside/x', '../../../outside/x', 'OUTSIDE/x'])(
    'has no name servers where resolv.conf is the link %s, and no file is written there',
    async (to) => {
      const outside = disk.makeDir('outside');
      symlinkSync(to.replace('OUTSIDE', outside), disk.path('source/etc/resolv.conf'));
      sh('tar', '--create', '--file', archive, '--directory', disk.path('source'), '.');

      const root = await run('cat /etc/resolv.conf >/etc/servers 2>/dev/null || echo none >/etc/servers');

      expect(readFileSync(join(root, 'etc/servers'), 'utf8')).toBe('none\n');
      expect(readdirSync(outside)).toEqual([]);
    },
  );
});
