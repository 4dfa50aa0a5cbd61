import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { holdsSecret, mountOptions, refuseSecrets, wordsOf } from '../../../src/mount/options.ts';
import { bind, mount } from '../../../src/mount/operations.ts';

describe('the options of a mount', () => {
  it('are the same as a list and as an object', () => {
    expect(wordsOf(['nodev', 'commit=5', 'subvol=@web'])).toEqual(['nodev', 'commit=5', 'subvol=@web']);
    expect(wordsOf({ nodev: true, commit: 5, subvol: '@web' })).toEqual(['nodev', 'commit=5', 'subvol=@web']);
    expect(wordsOf(undefined)).toEqual([]);
  });

  it.each([
    ['a string of several', 'nodev,noexec'],
    ['several in one', ['nodev,noexec']],
    ['a blank', ['no dev']],
    ['a quote', ['context="x"']],
    ['nothing', ['']],
    ['read-only, which is the mode', { ro: true }],
    ['what makes another thing of the mount', ['bind']],
    ['what makes another thing of it, as an object', { loop: '/dev/loop0' }],
    ['false, which could mean that it is left out or that it is taken back', { nodev: false }],
    ['one twice', ['commit=5', 'commit=6']],
    ['one with a comma in its value', { subvol: 'a,b' }],
  ])('are refused: %s', (_, options) => {
    expect(mountOptions.safeParse(options).success).toBe(false);
  });
});

describe('a password among the options', () => {
  it.each([
    'password=geheim',
    'pass=geheim',
    'password2=geheim',
    'PASSWORD=geheim',
    'passwd=x',
    'secret=AQBx',
    'passphrase_passwd=x',
    'user=joe%geheim',
    'username=DOM/joe%geheim',
    'key=x',
  ])('is found in %s', (option) => {
    expect(holdsSecret(option)).toBe(true);
  });

  it.each([
    'credentials=/root/smb',
    'secretfile=/etc/ceph/secret',
    'passphrase_passwd_file=/root/pw',
    'user=joe',
    'username=joe',
    'password',
    'pass=',
    'compress=zstd',
    'bypass',
    'nodev',
  ])('is not found in %s', (option) => {
    expect(holdsSecret(option)).toBe(false);
  });

  it.each([
    [mount, { device: '/dev/vda', mode: 'rw', options: ['password=geheim'] }],
    [mount, { device: '/dev/vda', mode: 'rw', options: { password: 'geheim' } }],
    [bind, { source: '/srv', mode: 'rw', options: ['password=geheim'] }],
  ] as const)('is refused before anything is journalled, and is in no message', (code, args) => {
    const refused = (): unknown => code.parseArgs(args);
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(/credentials=FILE/);
    expect(refused).not.toThrow(/geheim/);
  });

  it('is found among words with commas too', () => {
    expect(() => refuseSecrets(['nodev', 'ro,password=geheim'])).toThrow('option 2 contains a password');
    expect(() => refuseSecrets(['nodev', 'ro,credentials=/x'])).not.toThrow();
  });
});
