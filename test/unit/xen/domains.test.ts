import { describe, expect, test } from 'vitest';
import { describe as words, domains, guestDomains } from '../../../src/xen/domains.ts';
import { fakeHost } from './fake-host.ts';

const uuid = '11111111-2222-4333-8444-555555555555';

describe('the state of a domain', () => {
  test.each([
    ['r-----', 'running'],
    ['-b----', 'running'],
    ['------', 'running'],
    ['--p---', 'paused'],
    ['-bp---', 'paused'],
    ['---s--', 'shutdown'],
    ['--ps--', 'shutdown'],
    ['---sr-', 'shutdown'],
    ['---sc-', 'crashed'],
    ['---sw-', 'crashed'],
    ['--psS-', 'shutdown'],
    ['---s-d', 'dying'],
    ['--p--d', 'dying'],
  ])('%s is %s', async (flags, state) => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: 'web1', uuid, flags });

    expect(await guestDomains(host)).toMatchObject([{ id: 1, name: 'web1', state }]);
  });

  test('without a name, or a configuration, it is half-built', async () => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: undefined, uuid, flags: '--p---' });
    host.domains.push({ id: 2, name: 'web2', uuid, flags: '--p---', building: true });

    const found = await guestDomains(host);

    expect(found.map(({ state }) => state)).toEqual(['building', 'building']);
    expect(found[0] && words(found[0])).toBe('domain 1, half-built');
  });

  test('a domain that ended between the two listings is not half-built but gone', async () => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: 'web1', uuid, flags: '-b----' });
    const ending = { ...host, run: endsAfterTheFirst(host) };

    expect((await domains(ending)).map(({ id }) => id)).toEqual([0]);
  });
});

test('Domain-0 is known, and is no guest', async () => {
  const host = fakeHost();

  expect(await domains(host)).toMatchObject([{ id: 0, name: 'Domain-0', state: 'running' }]);
  expect(await guestDomains(host)).toEqual([]);
});

function endsAfterTheFirst(host: ReturnType<typeof fakeHost>): typeof host.run {
  return async (command) => {
    const answer = await host.run(command);
    host.domains.splice(1);
    return answer;
  };
}
