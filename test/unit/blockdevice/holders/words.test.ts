import { describe, expect, test } from 'vitest';
import { inWords, remedyFor } from '../../../../src/blockdevice/index.ts';
import { inUse } from '../../../../src/blockdevice/in-use.ts';
import type { Holder } from '../../../../src/core/errors.ts';

const mount = (path: string, more: Partial<Extract<Holder, { kind: 'mount' }>> = {}): Holder => ({
  ...{ kind: 'mount', path, mountId: 40, words: `mounted on ${path}`, free: ['umount', path] },
  ...more,
});
const process = (pid: number): Holder => ({
  ...{ kind: 'process', pid, command: 'cat', words: `process ${String(pid)} (cat)` },
  free: ['kill', String(pid)],
});

describe('holders in words', () => {
  test.each(['/', '/usr'])('gives no command to end the use of %s', (path) => {
    const who = [process(6), mount('/dev/pts'), mount(path)];
    const { message, remedy, holders } = inUse('/dev/vda', who);

    expect(message).toMatch(/^\/dev\/vda is in use: it holds (?:the root filesystem|\/usr) of this host$/);
    expect(remedy).toBe('name another device: bofh block tree');
    expect(holders).toEqual(who);
  });

  test('does not mistake the root of a container for that of this host', () => {
    const who = [mount('/', { namespaceOf: { pid: 8, command: 'init' }, free: ['nsenter', '-t', '8'] })];

    expect(inWords(who)).toBe('mounted on / [nsenter -t 8]');
    expect(remedyFor(who)).toBe('end that use first: nsenter -t 8');
  });

  test('names five, says how many more there are, and has them all as data', () => {
    const who = [1, 2, 3, 4, 5, 6, 7].map(process);
    const { message, remedy, holders } = inUse('/dev/sdb', who);

    expect(message).toMatch(/\[kill 4\]; process 5 \(cat\) \[kill 5\]; and 2 more$/);
    expect(remedy).toBe(
      'end that use first: kill 1; kill 2; kill 3; kill 4; kill 5; then run the command again to see the others',
    );
    expect(holders).toHaveLength(7);
  });

  test('gives a next step where no command would end it', () => {
    const { remedy } = inUse('/dev/sdb', [{ kind: 'unknown', words: 'somebody' }]);

    expect(remedy).toBe('end that use first, then run the command again');
  });
});
