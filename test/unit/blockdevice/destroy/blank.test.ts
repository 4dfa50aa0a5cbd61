import { beforeEach, describe, expect, test } from 'vitest';
import { bytesAt, probe } from '../../../../src/blockdevice/index.ts';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import * as answers from '../../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError } from '../../../../src/core/errors.ts';
import type { Tx } from '../../../../src/operations.ts';
import { destroyed } from '../../../../src/erase/state.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { rejectionOf } from '../../../support/rejection.ts';
import { typed } from '../../plan/support.ts';
import { bofhOn } from '../../simulator/support.ts';

const device = '/dev/vdz';
const mebibyte = 1024 ** 2;
const far = 32 * mebibyte;
const plain = Buffer.from('plain data'.padEnd(512, '.'));
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * mebibyte }] });
  host.admin.writeBytes(device, 0, plain);
  host.admin.writeBytes(device, far, plain);
});

const bytes = async (from: number): Promise<string> => {
  const { buffer } = await host.run(bytesAt(device, { from, count: 4096 }));
  return Buffer.from(buffer).toString('latin1').slice(0, 512);
};
const text = plain.toString('latin1');
const zeros = '\0'.repeat(512);
const acts = (on: SimulatedHost = host): readonly string[] =>
  on.changes.flatMap((change) =>
    change.what === 'command' && change.command.tool === 'blkdiscard'
      ? [/--offset (\d+)/.exec(change.command.argv.join(' '))?.[1] ?? '']
      : [],
  );

test.each([
  ['qcow2', 0, '514649fb'],
  ['vhd', 0, '636f6e6563746978'],
  ['oracleasm', 32, '4f52434c4449534b'],
  ['scoutfs', 65540, '8b423c10'],
])('%s, unknown to blkid, must be named, and wipefs cannot erase it', async (type, at, hex) => {
  host.admin.writeBytes(device, at, Buffer.from(hex, 'hex'));
  const of = async (verb: 'wipe' | 'zero' | 'discard', overwrite: string): Promise<unknown> =>
    withBofh(bofhOn(host), () =>
      atomic('destroys', (tx) => tx.block[verb]({ device, overwrite: [overwrite] })),
    );
  for (const verb of ['zero', 'discard'] as const)
    await expect(of(verb, 'blank')).rejects.toThrow(`${device} holds ${type}: it was not named`);
  const error = await rejectionOf(of('wipe', type));
  expect(error).toMatchObject({
    remedy: `if its content is not needed: bofh block zero ${device} --overwrite ${type}`,
  });
  await of('zero', type);
});

describe.each(['discard', 'zero'] as const)('block.%s of a device without a signature', (how) => {
  const act = (tx: Tx): Promise<void> => tx.block[how]({ device, overwrite: ['blank'] });
  const does = (body: (tx: Tx) => Promise<unknown>, left: string[] = []): Promise<unknown> => {
    const own = bofhOn(host);
    const engine = { ...own.engine, onLeftUntouched: (found: string) => void left.push(found) };
    return withBofh({ ...own, engine }, () => atomic('destroys', body));
  };
  /** Killed right after the commit: nothing is destroyed yet. */
  const killed = async (mode: 'crash here' | 'acts then crash' = 'crash here', nth = 1): Promise<void> => {
    host.fault({ tool: 'blkdiscard', nth, mode });
    await rejectionOf(does(act));
    host = host.restart();
    host.clearFaults();
  };
  const recovers = async (...more: string[]): Promise<string> => {
    const { stdout, stderr } = await typed(host, ['recover', ...more]).catch((error: unknown) => ({
      stdout: '',
      stderr: String(error),
    }));
    return stdout + stderr;
  };

  test('runs after the commit, the block with the tag last, and leaves nothing', async () => {
    await does(async (tx) => {
      await act(tx);
      expect(acts()).toEqual([]);
      expect(await bytes(0)).toMatch(/^bofh\./);
      expect(await probe(host, device)).toBeUndefined();
    });
    expect(acts()).toEqual(how === 'zero' ? [String(mebibyte), '4096', '0'] : [String(mebibyte), '0']);
    expect([await bytes(0), await bytes(far)]).toEqual([zeros, zeros]);
  });

  test('does not run when a later step fails, and restores the content', async () => {
    const before = host.snapshot();
    const error = await rejectionOf(
      does(async (tx) => {
        await act(tx);
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect([acts(), host.snapshot()]).toEqual([[], before]);
    expect([await bytes(0), await bytes(far)]).toEqual([text, text]);
  });

  test('is recognised by its tag also if the first bytes are zero', async () => {
    host.admin.writeBytes(device, 0, Buffer.alloc(512));
    await killed();
    await recovers();
    expect([await bytes(0), await bytes(far)]).toEqual([zeros, zeros]);
  });

  test('continues after a crash at any point', async () => {
    for (const [mode, nth] of [
      ['crash here', 1],
      ['acts then crash', 1],
      ['crash here', 2],
      ['acts then crash', 2],
    ] as const) {
      host.admin.writeBytes(device, 0, plain);
      host.admin.writeBytes(device, far, plain);
      await killed(mode, nth);
      await recovers();
      expect([await bytes(0), await bytes(far)]).toEqual([zeros, zeros]);
      expect(await typed(host, ['--json', 'journal', 'list'])).toMatchObject({ exitCode: 0 });
      host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * mebibyte }] });
    }
  });

  test.each([
    ['a filesystem', () => host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: 'u' })],
    ['one behind the mark', () => host.admin.writeBytes(device, 65536, plain)],
    ['something over the mark', () => host.admin.writeBytes(device, 0, plain)],
  ])('leaves alone foreign content that was written between commit and recovery: %s', async (_, put) => {
    host.admin.writeBytes(device, 0, Buffer.alloc(512, 1));
    await killed();
    put();
    const before = [await bytes(4096), await bytes(far), await bytes(65536)];
    const said = await recovers();
    expect(said).toContain(device);
    expect(acts()).toEqual(['1048576']);
    expect([await bytes(4096), await bytes(far), await bytes(65536)]).toEqual(before);
  });

  test('waits while the device is in use after the commit, and then runs', async () => {
    await killed();
    host.admin.swapon(device);
    expect(await recovers('--yes')).toMatch(/in use/);
    expect(await bytes(far)).toBe(text);
    host.world.swaps = [];
    host.world.revision += 1;
    await recovers();
    expect(await bytes(far)).toBe(zeros);
  });

  test('is refused for a device with a signature, however named', async () => {
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: 'u' });
    const error = await rejectionOf(does(act));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(/holds ext4, uuid u: it was not named/);
    expect(acts()).toEqual([]);
  });

  test('asks first at the command line, and reports the lost content', async () => {
    const line = ['block', how, device, '--overwrite', 'blank'];
    expect(await rejectionOf(typed(host, line))).toBeInstanceOf(RefusedError);
    const { stdout } = await typed(host, ['--json', '--yes', ...line]);
    expect(answers.blockDestroy.parse(JSON.parse(stdout))).toEqual({ device, lost: ['blank'] });
  });
});

test('destroys a wiped filesystem, and the refusal says how', async () => {
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: 'u' });
  await typed(host, ['--yes', 'block', 'wipe', device, '--overwrite', 'u']);
  expect(await rejectionOf(typed(host, ['--yes', 'block', 'zero', device]))).toMatchObject({
    remedy: 'to erase all of it: --overwrite blank',
  });
  await typed(host, ['--yes', 'block', 'zero', device, '--overwrite', 'blank']);
  expect(acts()).toEqual(['1048576', '4096', '0']);
});

test('reads a journal from before tags existed, and refuses one with neither', () => {
  const old = { device, identity: 'dev:vdz', size: 1, contents: [] };
  const magic = { offset: 1080, bytes: '53ef', type: 'ext4', uuid: 'u', around: 'a'.repeat(64) };
  expect(destroyed.parse({ ...old, magics: [magic] })).toEqual({ ...old, magics: [magic] });
  expect(() => destroyed.parse({ ...old, magics: [] })).toThrow(/a signature or a tag/);
});
