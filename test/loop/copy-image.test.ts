import { createHash } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { probe } from '../../src/blockdevice/index.ts';
import { image } from '../../src/copy/operations.ts';
import { RefusedError, RolledBackError, UsageError } from '../../src/core/errors.ts';
import { atomic, withBofh } from '../../src/index.ts';
import { localHost } from '../../src/host/local.ts';
import { simulatedBofh } from '../../src/simulator/index.ts';
import { simulate } from '../../src/simulator/real-host/simulate.ts';
import { rejectionOf } from '../support/rejection.ts';
import { scratch, take } from '../unit/file/support.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
const mebibyte = 1024 ** 2;
let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
/** An ext4 with files, in an image and as a device, and a larger blank device. */
let raw: string;
let source: string;
let device: string;

beforeEach(() => {
  disk = storage();
  step = scratch();
  source = disk.ext4('web.img').device;
  raw = disk.path('web.img');
  const root = disk.makeDir('root');
  sh('mount', source, root);
  writeFileSync(`${root}/hello`, 'x'.repeat(300_000));
  sh('umount', root);
  device = disk.ext4('target', { mebibytes: 24 }).device;
  sh('wipefs', '--all', device);
  // What an older volume may have left there.
  sh('dd', 'if=/dev/urandom', `of=${device}`, 'bs=1M', 'seek=4', 'count=8', 'conv=notrunc', 'status=none');
});

afterEach(() => {
  disk.clean();
  step.remove();
});

const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const onDevice = (): string => sum(readFileSync(device).subarray(0, 16 * mebibyte));
const qcow2 = (): string => {
  const path = disk.path('web.qcow2');
  sh('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, path);
  return path;
};

describe('a copy onto a blank device', () => {
  it.each(['dos', 'gpt'])('of a disk with a %s table is planned without a change', async (label) => {
    const whole = disk.path('pc.img');
    writeFileSync(whole, '');
    truncateSync(whole, 16 * mebibyte);
    sh('sh', '-ec', `printf 'label: ${label}\\n2048,,L\\n' | sfdisk --quiet "$1"`, 'sh', whole);
    const before = readFileSync(device);
    const planned = await simulate(host);
    const copied = await withBofh(simulatedBofh({ host: planned }), () =>
      atomic('plan', (tx) => tx.copy.image({ source: whole, format: 'raw', device })),
    );
    expect(copied).toEqual({ device, bytes: 16 * mebibyte });
    expect(planned.changes.map((each) => each.what)).toContain('command');
    expect(readFileSync(device).equals(before)).toBe(true);
  });

  it.each([
    ['a raw image', () => ({ source: raw, format: 'raw' as const })],
    ['a qcow2 image', () => ({ source: qcow2(), format: 'qcow2' as const })],
    ['a block device', () => ({ source, format: 'raw' as const })],
  ])('has every byte of %s, including zeros', async (_, from) => {
    const copied = await take(image, { ...from(), device }, step.host);

    expect(await copied.run()).toEqual({ device, bytes: 16 * mebibyte });

    expect(onDevice()).toBe(sum(readFileSync(raw)));
    expect(await copied.look()).toMatchObject({ state: 'ours' });
  });

  it('is undone to a blank device, also when undone twice', async () => {
    const copied = await take(image, { source: raw, format: 'raw', device }, step.host);
    await copied.run();

    await copied.goBack();
    expect(await probe(host, device)).toBeUndefined();
    expect(await copied.look()).toEqual({ state: 'gone' });
    await copied.goBack();
  });

  it('is undone when a later step fails', async () => {
    const failing = sequence(testEngine(disk.makeDir('state')), async (tx) => {
      await tx.step(image, { source: qcow2(), format: 'qcow2', device });
      throw new Error('a later step fails');
    });

    expect(await rejectionOf(failing)).toBeInstanceOf(RolledBackError);
    expect(await probe(host, device)).toBeUndefined();
  });
});

describe('refuses', () => {
  const refusal = async (from: string, format: 'raw' | 'qcow2'): Promise<Error> => {
    const before = sum(readFileSync(device));
    const error = await rejectionOf(take(image, { source: from, format, device }, step.host));
    expect(sum(readFileSync(device))).toBe(before);
    expect(error).toBeInstanceOf(Error);
    return error as Error;
  };

  it('an image that names another file', async () => {
    const [child, outside, data] = ['child.qcow2', 'outside.qcow2', 'outside.data'].map((name) =>
      disk.path(name),
    ) as [string, string, string];
    sh('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', '-u', child, '16M');
    sh('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', `data_file=${data},data_file_raw=on`, outside, '16M');
    sh('rm', data);

    expect(String(await refusal(child, 'qcow2'))).toContain('needs other files: /etc/shadow');
    expect(String(await refusal(outside, 'qcow2'))).toContain(`needs other files: ${data}`);
  });

  it('an image of another format than stated, encrypted, truncated, empty or missing', async () => {
    const path = qcow2();
    expect(String(await refusal(path, 'raw'))).toContain('is a qcow2 image, not a raw one');
    expect(String(await refusal(raw, 'qcow2'))).toContain('Image is not in qcow2 format');
    truncateSync(path, 300_000);
    expect(String(await refusal(path, 'qcow2'))).toContain('is damaged or truncated');
    const secret = disk.path('secret.qcow2');
    // Not LUKS: qemu-img measures its key derivation, and gives up on a busy machine.
    sh(
      ...(['qemu-img', 'create', '-q', '-f', 'qcow2', '--object', 'secret,id=s,data=x', '-o'] as const),
      ...['encrypt.format=aes,encrypt.key-secret=s', secret, '16M'],
    );
    expect(String(await refusal(secret, 'qcow2'))).toContain('is encrypted');
    writeFileSync(disk.path('empty.img'), '');
    expect(await refusal(disk.path('empty.img'), 'raw')).toBeInstanceOf(UsageError);
    expect(await refusal(disk.path('none.img'), 'raw')).toBeInstanceOf(UsageError);
  });

  it('an image larger than the device, and a device with content or in use', async () => {
    const onto = take(image, { source: raw, format: 'raw', device: source }, step.host);
    expect(String(await rejectionOf(onto))).toContain('holds ext4');
    truncateSync(raw, 32 * mebibyte);
    expect(await refusal(raw, 'raw')).toMatchObject({ code: 'no-space' });
  });

  it('a mounted device', async () => {
    sh('mount', source, disk.makeDir('busy'));
    const error = await refusal(source, 'raw');
    sh('umount', source);
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('mounted');
  });

  it('content unknown to blkid, because the device would look blank', async () => {
    const [noise, packed] = [disk.path('noise.img'), disk.path('noise.qcow2')];
    writeFileSync(noise, 'x'.repeat(mebibyte));
    expect(String(await refusal(noise, 'raw'))).toContain('has no content that blkid knows');
    sh('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', noise, packed);
    const failing = sequence(testEngine(disk.makeDir('state')), (tx) =>
      tx.step(image, { source: packed, format: 'qcow2', device }),
    );
    expect(String(await rejectionOf(failing))).toContain(`the copied bytes stay on ${device}`);
  });
});

describe('an interrupted copy', () => {
  it('is undone if the device starts with the source, and kept if others formatted it meanwhile', async () => {
    const copied = await take(image, { source: raw, format: 'raw', device }, step.host);
    const changed = () =>
      image.content?.changed({
        undo: copied.undo,
        way: 'back',
        touched: false,
        filled: 'never',
        host: step.host,
      });
    sh('dd', `if=${raw}`, `of=${device}`, 'bs=1M', 'count=2', 'conv=notrunc', 'status=none');
    expect(await copied.look()).toMatchObject({ state: 'ours' });
    expect(await changed()).toBeUndefined();

    sh('mkfs.ext4', '-q', '-F', device);
    expect(await changed()).toEqual({ found: `${device} does not begin as ${raw} does`, fromBytes: true });
  });
});
