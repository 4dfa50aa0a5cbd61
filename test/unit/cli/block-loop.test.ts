import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { typed } from '../plan/support.ts';

const file = '/srv/web1.img';
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.writeFile(file, 'x'.repeat(8192));
});

const json = async (...line: readonly string[]): Promise<unknown> =>
  JSON.parse((await typed(host, ['--json', 'block', 'loop', ...line])).stdout);

describe('bofh block loop', () => {
  it('attach creates the device and prints it', async () => {
    expect(answers.blockLoopAttach.parse(await json('attach', file))).toEqual({
      ...{ device: '/dev/loop0', file, was: 'attached' },
    });
    expect(host.world.loops.get(0)).toMatchObject({ mode: 'rw', partitions: 'ignored', offset: 0, limit: 0 });
  });

  it('attach takes a part, for reading only, with its partitions', async () => {
    await json('attach', file, '--offset', '1k', '--size', '4k', '--read-only', '--partitions');

    const part = { offset: 1024, limit: 4096, mode: 'ro', partitions: 'scanned' };
    expect(host.world.loops.get(0)).toMatchObject(part);
  });

  it('attach is refused for an attached file; --adopt accepts that device', async () => {
    host.admin.losetup(file, { minor: 4 });
    const before = host.changes.length;

    expect(await failureOf(json('attach', file))).toBeInstanceOf(RefusedError);
    expect(await json('attach', file, '--adopt')).toEqual({ device: '/dev/loop4', file, was: 'adopted' });
    expect(
      host.changes
        .slice(before)
        .filter((change) => change.what === 'command' && change.command.tool === 'losetup'),
    ).toEqual([]);
  });

  it('attach --adopt accepts --offset 0, as without --adopt', async () => {
    host.admin.losetup(file, { minor: 4 });

    expect(await json('attach', file, '--adopt', '--offset', '0')).toMatchObject({ device: '/dev/loop4' });
  });

  it('a dry run of attach --adopt is an empty plan if the file is attached', async () => {
    host.admin.losetup(file, { minor: 4 });

    expect(await json('attach', file, '--adopt', '--dry-run')).toMatchObject({ format: 1, steps: [] });
  });

  it('does not adopt another part, other options, or a device that is being detached', async () => {
    host.admin.losetup(file, { mode: 'ro' });

    expect(await failureOf(json('attach', file, '--adopt'))).toBeInstanceOf(RefusedError);
    expect(await failureOf(json('attach', file, '--adopt', '--offset', '1k'))).toBeInstanceOf(RefusedError);
  });

  it.each([
    ['list', ['block', 'loop', 'list']],
    ['a plan', ['--dry-run', 'block', 'image', 'create', '/srv/other.img', '8m']],
  ])('%s leaves out in a container the devices of the host around it', async (_, line) => {
    host.admin.losetup(file, { minor: 2 });
    const run: SimulatedHost['run'] = (command) =>
      host.run({
        ...command,
        // As losetup 2.41 shows them there.
        parse: (answer) =>
          command.parse({
            ...answer,
            stdout:
              command.tool === 'losetup'
                ? answer.stdout
                    .replaceAll(/"\/dev\/loop\d+/g, '$& (lost)')
                    .replaceAll(/("back-(?:ino|maj:min)": *)[^,}\n]+/g, '$1null')
                : answer.stdout,
          }),
      });

    const { exitCode, stdout } = await typed({ ...host, run }, line);
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('/dev/loop2');
  });

  it('list shows each device with its file, or none', async () => {
    expect(answers.blockLoopList.parse(await json('list'))).toEqual([]);
    host.admin.losetup(file, { minor: 2, limit: 4096 });

    expect(answers.blockLoopList.parse(await json('list'))).toEqual([
      expect.objectContaining({ device: '/dev/loop2', file, offset: 0, size: 4096, mode: 'rw' }),
    ]);
    expect((await typed(host, ['block', 'loop', 'list'])).stdout).toMatch(/\/dev\/loop2 +\/srv\/web1.img/);
  });

  it('detach detaches the file', async () => {
    host.admin.losetup(file);

    expect(answers.blockLoopDetach.parse(await json('detach', '/dev/loop0'))).toEqual({
      ...{ device: '/dev/loop0', file },
    });
    expect(host.world.loops.size).toBe(0);
  });
});
