import { closeSync, linkSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../../src/host/local.ts';
import { archiveMembers, type ContractContext, runScenario, scenarios } from '../contract/index.ts';
import { mountedPaths, sh, storage } from './sequence.ts';

// The scenarios of LVM and Xen need a host that has them: they run in the rig.
const here = scenarios.filter(({ needs }) => !needs.includes('vg') && !needs.includes('guest'));

let disk: ReturnType<typeof storage>;
let device = '';
let btrfs = '';
let tar = '';
let lock = -1;

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 64 }).device;
  sh('wipefs', '--all', device);
  tar = archive();
  btrfs = disk.makeDir('btrfs');
  sh('mount', disk.btrfs('pool'), btrfs);
  lock = openSync(disk.path('lock'), 'w', 0o600);
});

afterAll(() => {
  closeSync(lock);
  disk.clean();
});

// What a scenario left must not decide the next.
afterEach(() => {
  for (const path of mountedPaths(device).toReversed()) sh('umount', path);
  sh('wipefs', '--all', device);
});

/** The members, made one by one and packed in their order: tar alone would choose its own, and name links otherwise. */
function archive(): string {
  const root = disk.makeDir('root');
  for (const member of archiveMembers) {
    const path = join(root, member.path);
    if ('content' in member) writeFileSync(path, member.content);
    else if (member.type === 'directory') mkdirSync(path, { recursive: true });
    else if (member.type === 'symlink') symlinkSync(member.target, path);
    else linkSync(join(root, member.target), path);
  }
  const path = disk.path('root.tar');
  const names = archiveMembers.map((member) => member.path);
  sh('tar', '--create', '--file', path, '--no-recursion', '--directory', root, ...names);
  return path;
}

function context(name: string): ContractContext {
  const outputs = disk.makeDir(`${name}-outputs`);
  const host = localHost();
  return { host, change: host.during({ outputs, lock }), directory: disk.makeDir(name), device, btrfs, tar };
}

describe('contract, on a loop device', () => {
  test('has scenarios of files, devices, mounts and archives', () => {
    expect(here.length).toBeGreaterThan(10);
    expect(here.length).toBeLessThan(scenarios.length);
  });

  for (const [index, scenario] of here.entries())
    test(scenario.name, async () => {
      expect(await runScenario(scenario, context(`contract-${index}`))).toBe('ran');

      expect(mountedPaths(device)).toEqual([]);
      expect(sh('wipefs', '--noheadings', device)).toBe('');
    });
});
