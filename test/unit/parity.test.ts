import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as api from '../../src/index.ts';

const page = readFileSync(new URL('../../docs/parity.md', import.meta.url), 'utf8');

it('docs/parity.md names tests that exist', () => {
  const named = [...page.matchAll(/`(?<path>test\/[^`]+)`/g)].map(({ groups }) => groups?.['path'] ?? '');
  expect(named.length).toBeGreaterThan(60);
  expect(named.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
});

it('docs/parity.md names functions that the library has', () => {
  const spaces = new Map<string, unknown>(Object.entries(api));
  const members = (space: string): readonly string[] => {
    const found = spaces.get(space);
    return typeof found === 'object' && found !== null ? Object.keys(found) : [];
  };
  const named = [...page.matchAll(/`(?<space>[a-z]+)\.(?<name>[a-zA-Z]+)`/g)].flatMap(({ groups }) => {
    const { space = '', name = '' } = groups ?? {};
    return members(space).length > 0 ? [{ space, name }] : [];
  });
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter(({ space, name }) => !members(space).includes(name))).toEqual([]);
});
