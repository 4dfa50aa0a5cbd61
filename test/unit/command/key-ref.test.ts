import { describe, expect, it } from 'vitest';
import { keyInWords, keyRef, type KeyRef, parseKeyRef } from '../../../src/command/index.ts';
import { UsageError } from '../../../src/core/errors.ts';

const every: readonly (readonly [string, KeyRef, string])[] = [
  ['file:/root/my key', { from: 'file', path: '/root/my key' }, 'the file /root/my key'],
  [
    'command:/usr/bin/pass show  web1',
    { from: 'command', argv: ['/usr/bin/pass', 'show', 'web1'] },
    'the command /usr/bin/pass',
  ],
  ['credential:web1.key', { from: 'credential', name: 'web1.key' }, 'the credential web1.key'],
  ['site:backup', { from: 'site', name: 'backup' }, "the site's key backup"],
  ['ask', { from: 'ask' }, 'a person'],
];

describe('the source of a key', () => {
  it.each(every)('is read from %s', (text, key) => {
    expect(parseKeyRef(text)).toEqual(key);
  });

  it.each(every)('%s survives the journal and has a text', (_, key, words) => {
    expect(keyRef.parse(JSON.parse(JSON.stringify(key)))).toEqual(key);
    expect(keyInWords(key)).toBe(words);
  });

  it.each([
    '',
    'geheim',
    'file:',
    'file:relative',
    'file',
    'command:pass',
    'command: ',
    'credential:../shadow',
    'credential:..',
    'site:',
    'asked',
    'ask:x',
  ])('cannot be %j', (text) => {
    expect(() => parseKeyRef(text)).toThrow(UsageError);
  });
});
