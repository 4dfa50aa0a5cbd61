import { describe, expect, test } from 'vitest';
import { commonKey, hostKey, keyInWords, objectsOf, ownKey } from '../../../src/atomic/locks/host-key.ts';
import { describe as inWords } from '../../../src/atomic/undo/report.ts';
import { intent } from '../../support/crash/lines.ts';

const on = (name: string) => ({ host: { name } }) as Parameters<typeof hostKey>[0];

describe('the lock key of an object', () => {
  test('of this host is the same everywhere, whatever it contains', () => {
    const key = 'file:/srv/a!b';

    expect(hostKey(on(''), key)).toBe(key);
    expect(ownKey('', key)).toBe(key);
    expect(keyInWords('', key)).toBe('/srv/a!b');
  });

  test.each([
    ['lv:vg0/x', 'logical volume vg0/x'],
    ['file:/srv/a!b', '/srv/a!b'],
    ['dev:loop:254:0:54', 'loop device of inode 54 on 254:0'],
    ['trim:dev:loop:254:0:54', 'trim of loop device of inode 54 on 254:0'],
    ['trim:lv:vg0/x', 'trim of logical volume vg0/x'],
    ['btrfs-scrub:UUID', 'scrub of UUID'],
    ['dns:web1', 'dns:web1'],
  ])('of another host starts with its name, and its text is readable: %s', (key, words) => {
    const journalled = hostKey(on('web2'), key);

    expect(journalled).toBe(`web2!${key}`);
    expect(ownKey('web2', journalled)).toBe(key);
    expect(keyInWords('web2', journalled)).toBe(`${words} on web2`);
    expect(keyInWords('web2', key)).toBe(`${words} on web2`);
  });
});

test('the key of an object shared by several hosts is the same on all, and belongs to none', () => {
  const key = commonKey('drbd:web1 on a,b');

  expect(hostKey(on('web2'), key)).toBe(key);
  expect(hostKey(on(''), key)).toBe(key);
  expect(keyInWords('web2', key)).toBe('DRBD resource web1 on a,b');
  expect(objectsOf({ host: 'web2', claims: { changes: [key, 'web2!drbd:web1'] } })).toEqual(['drbd:web1']);
});

describe('the text of a step', () => {
  const step = (host: string, claims: Parameters<typeof objectsOf>[0]['claims']) => ({
    n: 1,
    intent: intent(1, { kind: 'toy.thing', host, claims }),
    finished: false,
  });

  test('names the host of its objects', () => {
    const there = step('web2', { makes: ['web2!lv:vg0/x'], changes: ['web2!vg:vg0'] });

    expect(inWords(there)).toBe('toy.thing (logical volume vg0/x on web2, volume group vg0 on web2)');
    expect(objectsOf(there.intent)).toEqual(['lv:vg0/x', 'vg:vg0']);
  });

  test('names its host if it has no objects, and never this host', () => {
    expect(inWords(step('web2', null), 'why')).toBe('toy.thing on web2: why');
    expect(inWords(step('', { makes: ['lv:vg0/x'] }))).toBe('toy.thing (logical volume vg0/x)');
    expect(inWords(step('', null))).toBe('toy.thing');
  });
});
