import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { withBofh } from '../../src/bofh.ts';
import { filesystem, lvm, mount } from '../../src/index.ts';
import {
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
  simulatedPair,
} from '../../src/simulator/index.ts';
import { blocks, pageOf, type Ran, runScriptIn } from '../support/pages.ts';
import { scriptFaults } from '../support/api/script-faults.ts';
import { smallSystem } from '../support/undo/stage.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.cache/scripting');
const work = mkdtempSync(join(tmpdir(), 'bofh-scripting-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const page = pageOf('docs/scripting.md');
const jobs = [...page.matchAll(/^## (?<number>\d+)\. (?<title>.*)\n(?<text>[^]*?)(?=^## )/gm)].map(
  ({ groups }) => ({ title: groups?.title ?? '', scripts: blocks(groups?.text ?? '', 'ts') }),
);
const fileOf = (number: number): string => join(folder, `job-${String(number)}.ts`);

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [at, { scripts }] of jobs.entries()) writeFileSync(fileOf(at + 1), scripts.join('\n'));
});

const run = (number: number, host: SimulatedHost, ...args: readonly string[]): Promise<Ran> =>
  runScriptIn(simulatedBofh({ host }), fileOf(number), { args });

const on = <T>(host: SimulatedHost, body: () => T): T => withBofh(simulatedBofh({ host }), body);

function newHost(): SimulatedHost {
  const host = simulatedHost();
  host.admin.writeFile('/etc/fstab', '');
  return host;
}

const namesOn = async (host: SimulatedHost): Promise<readonly string[]> =>
  (await on(host, () => lvm.lvs())).map(({ fullName }) => fullName);

it('the page has ten jobs, each with one script', () => {
  expect(jobs.map(({ scripts }) => scripts.length)).toEqual(Array.from({ length: 10 }, () => 1));
  expect(blocks(page, 'ts')).toHaveLength(10);
});

it('the scripts compile, as strictly as our own', () => {
  expect(scriptFaults(jobs.map((_, at) => fileOf(at + 1)))).toBe('');
});

it('the tsconfig of the page names the types that its scripts use', () => {
  const [config = ''] = blocks(page, 'json');
  expect(JSON.parse(config)).toMatchObject({ compilerOptions: { types: ['node'] } });
});

describe('a job of docs/scripting.md', () => {
  it('1: creates and mounts a volume, or leaves nothing behind', async () => {
    const host = newHost();
    await run(1, host);
    await on(host, async () => {
      expect(await mount.isMountpoint('/srv/photos')).toBe(true);
      expect((await mount.fstab()).lines).toMatchObject([{ target: '/srv/photos', options: ['noatime'] }]);
    });

    const other = newHost();
    const before = other.snapshot();
    other.fault({ tool: 'mount', mode: 'acts then fails' });
    await expect(run(1, other)).rejects.toMatchObject({ code: 'rolled-back', failed: 'mount.mount' });
    expect(other.snapshot()).toBe(before);
  });

  it('2: encrypts a volume, or leaves nothing behind', async () => {
    const host = newHost();
    host.admin.writeFile('/root/vault.key', 'a key of 16 bytes', 0o600);
    const before = host.snapshot();
    host.fault({ tool: 'mkfs.ext4', mode: 'acts then fails' });
    await expect(run(2, host)).rejects.toMatchObject({ code: 'rolled-back' });
    expect(host.snapshot()).toBe(before);

    await run(2, host);
    await on(host, async () => {
      expect(await filesystem.probe('/dev/mapper/vault')).toMatchObject({ type: 'ext4' });
      expect((await mount.crypttab()).lines).toMatchObject([{ name: 'vault', key: '/root/vault.key' }]);
    });
  });

  it('3: changes nothing the second time', async () => {
    const host = newHost();
    expect((await run(3, host)).tables).toMatchObject([[{ created: true }, { created: true }]]);
    const before = host.snapshot();
    expect((await run(3, host)).tables).toMatchObject([[{ created: false }, { formatted: false }]]);
    expect(host.snapshot()).toBe(before);
  });

  it('4: grows a mounted volume with its filesystem', async () => {
    const host = newHost();
    await run(1, host);
    expect((await run(4, host)).printed).toEqual([
      'the logical volume vg0/photos: 1 GiB → 1.5 GiB',
      'the ext4 on /dev/mapper/vg0-photos: 1 GiB → 1.5 GiB',
    ]);
    const [volume] = await on(host, () => lvm.lvs());
    expect(volume?.size).toBe(1.5 * 1024 ** 3);
  });

  it('5: creates a guest that runs', async () => {
    const host = newHost();
    host.addTar('/srv/bookworm.tar', smallSystem);
    expect((await run(5, host)).printed).toEqual(['web1 runs from /dev/vg0/web1-root']);
    expect(host.world.domains.map(({ name }) => name)).toEqual(['web1']);
  });

  it('6: backs up from a snapshot that is gone afterwards', async () => {
    const host = newHost();
    await run(1, host);
    const before = await namesOn(host);
    const archive = join(work, 'photos.tar');
    // The mount is simulated, and a real tar finds no such directory.
    await expect(run(6, host, archive)).rejects.toMatchObject({
      cause: { cmd: expect.stringMatching(/^tar --create --file .* --directory \/run\/bofh/) as string },
    });
    expect(await namesOn(host)).toEqual(before);

    writeFileSync(join(work, 'tar'), '#!/bin/sh\necho "$5" > "$3"\n', { mode: 0o755 });
    vi.stubEnv('PATH', `${work}:${process.env.PATH ?? ''}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    await run(6, host, archive);
    expect(readFileSync(archive, 'utf8')).toMatch(/^\/run\/bofh/);
    expect(await namesOn(host)).toEqual(before);
  });

  it('7: names volumes that are unused, and only those', async () => {
    const host = newHost();
    await run(1, host);
    host.admin.lvcreate({ vg: 'vg0', name: 'old', extents: 2 });
    expect((await run(7, host)).printed).toEqual(['vg0/old 8 MiB']);
  });

  it('8: distinguishes a full group from an existing name', async () => {
    const host = newHost();
    expect((await run(8, host)).printed).toEqual(['vg0 is full']);
    host.admin.lvcreate({ vg: 'vg0', name: 'scratch', extents: 2 });
    expect((await run(8, host)).printed).toEqual(['there already']);
    host.admin.vgrename('vg0', 'vg1');
    expect((await run(8, host)).complained.join('\n')).toContain('vg0');
  });

  it('9: reports what it does', async () => {
    const { printed } = await run(9, newHost());
    expect(printed.length).toBeGreaterThan(5);
    expect(printed.join('\n')).toContain('lvm.createLv');
    expect(printed.at(-1)).toContain('committed');
  });

  it('10: changes both hosts or neither', async () => {
    const [here, there] = [newHost(), newHost()];
    const before = [here.snapshot(), there.snapshot()];
    const { here: bofh } = simulatedPair({ here, there });
    const both = () => runScriptIn(bofh, fileOf(10), { args: ['there'] });
    there.fault({ tool: 'mkfs.ext4', mode: 'acts then fails' });
    await expect(both()).rejects.toMatchObject({
      ...{ code: 'rolled-back', failed: 'filesystem.create', failedOn: 'there' },
      message: expect.stringContaining('was rolled back: on there: mkfs.ext4') as unknown,
    });
    expect([here.snapshot(), there.snapshot()]).toEqual(before);

    await both();
    expect([await namesOn(here), await namesOn(there)]).toEqual([['vg0/spare'], ['vg0/spare']]);
  });
});

describe('"Test a script"', () => {
  it('compares a plan with a run of the same seed', async () => {
    const points = async (planning: boolean): Promise<readonly unknown[]> => {
      const host = simulatedHost({ seed: 'web1' });
      host.admin.writeFile('/etc/fstab', '');
      const before = host.snapshot();
      await runScriptIn(simulatedBofh({ host, planning }), fileOf(1));
      expect(host.snapshot()).not.toBe(before);
      return host.points;
    };
    expect((await points(true)).length).toBeGreaterThan(5);
    expect(await points(true)).toEqual(await points(false));
  });

  it('lists every mode of a fault', () => {
    let refusal = '';
    try {
      simulatedHost().fault({ mode: 'none' as 'hangs' });
    } catch (error) {
      refusal = String(error);
    }
    const modes = refusal.replace(/^.*one of /, '').split('; ');
    expect(modes).toHaveLength(10);
    for (const mode of modes) expect(page).toContain(`\`${mode}\``);
  });

  it('calls methods of the administrator that there are', () => {
    const { admin } = simulatedHost();
    const rows = page.slice(page.indexOf('| for | methods |')).split('\n\n')[0] ?? '';
    const named = [...rows.matchAll(/`(?<name>\w+)[(`]/g)].map(({ groups }) => groups?.name ?? '');
    expect(named.length).toBeGreaterThan(25);
    expect(named.filter((name) => !(name in admin))).toEqual([]);
  });
});
