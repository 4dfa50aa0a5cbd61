import { describe, expect, test } from 'vitest';
import { describe as words, domains, guestDomains, survey } from '../../../src/xen/domains.ts';
import { CommandError } from '../../../src/core/errors.ts';
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

  test.each(['r-----', '-b----', '------'])('%s without a configuration is running', async (flags) => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: 'web1', uuid, flags, building: true });
    host.domains.push({ id: 2, name: 'web1-dm', uuid: uuid.replaceAll('1', '2'), flags, building: true });
    host.domains.push({ id: 3, name: 'Xenstore', uuid: uuid.replaceAll('1', '3'), flags, building: true });

    expect((await guestDomains(host)).map(({ state }) => state)).toEqual(['running', 'running', 'running']);
  });

  test('is reported also where xl list -l fails; a paused one has an unknown configuration then', async () => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: 'web1', uuid, flags: '-b----' });
    host.domains.push({ id: 2, name: 'web2', uuid: uuid.replaceAll('1', '2'), flags: '--p---' });
    const failing: typeof host.run = async (command) => {
      if (command.argv.includes('-l'))
        throw new CommandError({ tool: 'xl', argv: command.argv, reason: 'unknown', exitCode: 1 });
      return host.run(command);
    };

    const found = await guestDomains({ ...host, run: failing });

    expect(found.map(({ state }) => state)).toEqual(['running', 'building']);
    expect(found[1] && words(found[1])).toBe('domain 2, paused, its configuration is unknown');
  });

  test('paused without a name, or a configuration, it may be half-built', async () => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: undefined, uuid, flags: '--p---' });
    host.domains.push({ id: 2, name: 'web2', uuid, flags: '--p---', building: true });

    const found = await guestDomains(host);

    expect(found.map(({ state }) => state)).toEqual(['building', 'building']);
    expect(found[0] && words(found[0])).toBe('domain 1, half-built');
  });

  test('a domain that ended between the two listings is gone, not half-built', async () => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: 'web1', uuid, flags: '--p---' });
    const ending = { ...host, run: endsAfterTheFirst(host) };

    expect((await domains(ending)).map(({ id }) => id)).toEqual([0]);
  });
});

test('Domain-0 is listed, and is no guest', async () => {
  const host = fakeHost();

  expect(await domains(host)).toMatchObject([{ id: 0, name: 'Domain-0', state: 'running' }]);
  expect(await guestDomains(host)).toEqual([]);
});

describe('a query for some domains', () => {
  const two = () => {
    const host = fakeHost();
    host.domains.push({ id: 1, name: 'web1', uuid, flags: '--p---', building: true });
    host.domains.push({ id: 2, name: 'web2', uuid: uuid.replaceAll('1', '2'), flags: '--p---' });
    return host;
  };

  test('reports their state, and that the others exist', async () => {
    const { listed, domains: wanted } = await survey(two(), ({ name }) => name === 'web1');

    expect(wanted).toMatchObject([{ id: 1, state: 'building' }]);
    expect(listed.map(({ id }) => id)).toEqual([0, 1, 2]);
  });

  test('reports one that replaced another between the listings', async () => {
    const host = two();
    const restarts: typeof host.run = async (command) => {
      const answer = await host.run(command);
      host.domains[2] = { id: 7, name: 'web2', uuid, flags: 'r-----' };
      return answer;
    };

    const found = await domains({ ...host, run: restarts }, ({ name }) => name === 'web2');

    expect(found).toMatchObject([{ id: 7, state: 'running' }]);
  });

  test('runs no xl list -l for no domain, or only for Domain-0', async () => {
    const host = two();

    expect(await domains(host, ({ name }) => name === 'web3')).toEqual([]);
    expect(await domains(host, ({ id }) => id === 0)).toHaveLength(1);
    expect(host.ran).toEqual(['list -v', 'list -v']);
  });
});

function endsAfterTheFirst(host: ReturnType<typeof fakeHost>): typeof host.run {
  return async (command) => {
    const answer = await host.run(command);
    host.domains.splice(1);
    return answer;
  };
}
