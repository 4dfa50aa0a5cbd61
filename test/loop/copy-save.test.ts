import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { atomic, connect, RefusedError, RolledBackError, withBofh } from '../../src/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sh, storage } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let device: string;

beforeEach(() => {
  disk = storage();
  device = disk.ext4('source').device;
});
afterEach(() => disk.clean());

const saved = (recipients?: readonly string[], file = disk.path('saved')) =>
  withBofh(connect({ stateDir: disk.path('state') }), () =>
    atomic('save', (tx) =>
      tx.copy.save({ device, file, ...(recipients === undefined ? {} : { recipients }) }),
    ),
  );
const sumOf = (command: string, ...words: string[]): string =>
  sh('sh', '-ec', `${command} | sha256sum`, 'sh', ...words).slice(0, 64);
/** A new key of age: the file with the secret key, and the public key. */
function newKey(name: string): { readonly secret: string; readonly recipient: string } {
  const secret = disk.path(name);
  sh('age-keygen', '--output', secret);
  return { secret, recipient: sh('age-keygen', '-y', secret).trim() };
}

describe.skipIf(process.getuid?.() !== 0)('a saved device', () => {
  it('is compressed, and has its checksums', async () => {
    const { sha256, fileSha256, size } = await saved();
    expect(sha256).toBe(sumOf('cat "$1"', device));
    expect(fileSha256).toBe(sumOf('cat "$1"', disk.path('saved')));
    expect(sumOf('zstd -dc "$1"', disk.path('saved'))).toBe(sha256);
    expect(size).toBe(16 * 1024 ** 2);
  });

  it('is encrypted by age: each recipient can decrypt it, and no other key', async () => {
    const [one, other, stranger] = ['one', 'other', 'stranger'].map(newKey);
    sh('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', disk.path('ssh'));
    const list = disk.path('recipients');
    writeFileSync(list, `# the office\n${other?.recipient ?? ''}\n`);
    const ssh = readFileSync(disk.path('ssh.pub'), 'utf8').trim();

    const { sha256, fileSha256 } = await saved([one?.recipient ?? '', list, ssh]);

    const file = disk.path('saved');
    expect([sha256, fileSha256]).toEqual([sumOf('cat "$1"', device), sumOf('cat "$1"', file)]);
    for (const secret of [one?.secret ?? '', other?.secret ?? '', disk.path('ssh')])
      expect(sumOf('age -d -i "$1" "$2" | zstd -dc', secret, file)).toBe(sha256);
    expect(() => sh('age', '-d', '-i', stranger?.secret ?? '', file)).toThrow(/no identity matched/);
    expect(() => sh('zstd', '-dc', file)).toThrow(/unsupported format/);
  });

  it.each([
    ['an invalid key', 'age1invalid', RolledBackError],
    ['a file without keys', '/dev/null', RolledBackError],
    ['a word that is no key', 'somebody', Error],
  ])('is not written for %s', async (_, recipient, type) => {
    const error = await rejectionOf(saved([recipient]));
    expect(error).toBeInstanceOf(type);
    expect(error).not.toBeInstanceOf(RefusedError);
    expect(sh('find', disk.path(''), '-name', 'saved*')).toBe('');
  });
});
