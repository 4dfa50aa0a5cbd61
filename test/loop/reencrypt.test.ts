import { createDecipheriv, createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { headerOf } from '../../src/crypt/index.ts';
import * as crypt from '../../src/crypt/operations.ts';
import { StuckError } from '../../src/core/errors.ts';
import { findProgram } from '../../src/host/program.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const mebibyte = 1024 ** 2;
const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';
let key: { readonly from: 'file'; readonly path: string };

// With a small header the parts have 8 MiB: there are two here.
const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--luks2-keyslots-size', '1m'];

beforeEach(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 18 }).device;
  key = { from: 'file', path: disk.path('key') };
  writeFileSync(key.path, 'geheim', { mode: 0o600 });
  fill(device);
  sh('cryptsetup', 'luksFormat', '-q', ...quick, '--label', 'web1', '--key-file', key.path, device);
});

afterEach(() => {
  disk.clean();
});

/** With what cannot be foreseen: what it is decrypted to must stay the same. */
function fill(path: string): void {
  const file = openSync(path, 'r+');
  for (let at = 0; at < 18; at += 1) writeSync(file, randomBytes(mebibyte), 0, mebibyte, at * mebibyte);
  closeSync(file);
}

/** The hash of all data, decrypted by AES-XTS with the sector's number: no device-mapper is needed. */
async function plaintext(cipher: 'aes-256-xts' | 'aes-128-xts' = 'aes-256-xts'): Promise<string> {
  const file = disk.path('volume-key');
  sh(
    ...(['cryptsetup', 'luksDump', '-q', '--dump-volume-key', '--volume-key-file', file] as const),
    ...['--key-file', key.path, device],
  );
  const volumeKey = readFileSync(file);
  rmSync(file);
  const { dataOffset } = await headerOf(host, device);
  const data = Buffer.alloc(18 * mebibyte - dataOffset);
  const raw = openSync(device, 'r');
  readSync(raw, data, 0, data.length, dataOffset);
  closeSync(raw);
  const hash = createHash('sha256');
  for (let sector = 0; sector * 512 < data.length; sector += 1) {
    const tweak = Buffer.alloc(16);
    tweak.writeUInt32LE(sector);
    const decipher = createDecipheriv(cipher, volumeKey, tweak);
    hash.update(decipher.update(data.subarray(sector * 512, (sector + 1) * 512)));
  }
  return hash.digest('hex');
}

const codes = Object.values(crypt) as readonly unknown[] as readonly AnyOperation[];

/** An engine of its own, with that cryptsetup. */
function engineOf(cryptsetup?: string) {
  return {
    ...testEngine(disk.dir),
    host: localHost(cryptsetup === undefined ? {} : { tools: { cryptsetup } }),
    find: async (kind: string) => codes.find((one) => one.kind === kind),
  };
}

const start = (tx: Steps) => tx.step(crypt.reencrypt, { device, key });

/** A cryptsetup that is killed within a part of its work. */
async function killedWithinAPart(): Promise<string> {
  const real = await findProgram('cryptsetup', 'cryptsetup-bin');
  const script = disk.path('cryptsetup');
  writeFileSync(
    script,
    `#!/bin/bash
case " $* " in
*" --resilience "*) ;;
*) exec ${real} "$@" ;;
esac
exec 3<&0
${real} "$@" <&3 &
while sleep 0.01; do
  kill -STOP $! || exit 99
  ${real} luksDump --disable-locks --dump-json-metadata ${device} | grep -q in-reencryption && break
  kill -CONT $!
done
kill -KILL $!
wait $!
`,
  );
  chmodSync(script, 0o755);
  return script;
}

describe('crypt.reencrypt', () => {
  test('keeps the data, the UUID and the label, under another volume key', async () => {
    const [before, header] = [await plaintext(), await headerOf(host, device)];

    await sequence(engineOf(), start);

    const after = await headerOf(host, device);
    expect(await plaintext()).toBe(before);
    expect(after).toMatchObject({
      uuid: header.uuid,
      label: 'web1',
      requirements: [],
      keySlots: [{ slot: 1 }],
    });
    expect(after.volumeKeyDigest).not.toBe(header.volumeKeyDigest);
  });

  test('accepts keys of another size', async () => {
    const before = await plaintext();

    await sequence(engineOf(), (tx) =>
      tx.step(crypt.reencrypt, {
        device,
        key,
        cipher: 'aes-xts-plain64',
        keySize: 256,
        resilience: 'journal',
      }),
    );

    expect(await plaintext('aes-128-xts')).toBe(before);
  });

  test('is continued by recovery after a kill within a segment, and loses no byte', async () => {
    const before = await plaintext();
    const engine = engineOf(await killedWithinAPart());

    expect(await rejectionOf(sequence(engine, start))).toBeInstanceOf(StuckError);
    expect((await headerOf(host, device)).reencryption).toMatchObject({ mode: 'reencrypt', torn: true });
    const [open] = await openJournals(engine);
    expect((await recover(open?.id ?? '', { engine, yes: true })).end).toBe('committed');

    expect((await headerOf(host, device)).reencryption).toBeUndefined();
    expect(await plaintext()).toBe(before);
  });

  test('continues a reencryption that an administrator started', async () => {
    const before = await plaintext();
    sh('cryptsetup', 'reencrypt', '-q', '--init-only', '--key-file', key.path, device);

    await sequence(engineOf(), (tx) => tx.step(crypt.reencrypt, { device, key, resume: true }));

    expect((await headerOf(host, device)).reencryption).toBeUndefined();
    expect(await plaintext()).toBe(before);
  });

  test('removes the unused key slot of an attempt that was killed', async () => {
    const engine = engineOf(await killedBeforeTheHeader());

    expect(await rejectionOf(sequence(engine, start))).toBeInstanceOf(StuckError);
    expect((await headerOf(host, device)).keySlots.map(({ opens }) => opens)).toEqual(['data', 'nothing']);
    const [open] = await openJournals(engine);
    await recover(open?.id ?? '', { engine: engineOf(), yes: true });

    expect((await headerOf(host, device)).keySlots).toMatchObject([{ slot: 1, opens: 'data' }]);
  });
});

/** One that leaves what a kill leaves before the header knows of the work: a slot of another volume key. */
async function killedBeforeTheHeader(): Promise<string> {
  const real = await findProgram('cryptsetup', 'cryptsetup-bin');
  const script = disk.path('cryptsetup');
  const add = `${real} luksAddKey -q --unbound --key-size 512 --pbkdf pbkdf2 --pbkdf-force-iterations 1000`;
  writeFileSync(
    script,
    `#!/bin/bash
case " $* " in
*" --resilience "*) ${add} --key-file ${key.path} ${device} ${key.path}; kill -KILL $$ ;;
*) exec ${real} "$@" ;;
esac
`,
  );
  chmodSync(script, 0o755);
  return script;
}
