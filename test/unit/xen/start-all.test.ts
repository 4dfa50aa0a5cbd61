import { describe, expect, test } from 'vitest';
import type { Domain, DomainState } from '../../../src/xen/domains.ts';
import { startAllPlan } from '../../../src/xen/start-all.ts';

const uuid = (n: number) => `${n}1111111-2222-4333-8444-555555555555`;
function domain(id: number, name: string | undefined, state: DomainState): Domain {
  const named = name === undefined ? {} : { name };
  return { id, ...named, uuid: uuid(id), memoryMiB: 1, vcpus: 1, flags: '------', seconds: 1, state };
}
const none = new Set<string>();

test('starts stopped guests and skips running ones, in the order of the site and then by name', () => {
  const guests = ['c', 'a', 'b', 'd'].map((name) => ({ name }));

  expect(
    startAllPlan({ guests, domains: [domain(1, 'b', 'running')], order: ['d', 'b', 'd'], held: none }),
  ).toEqual([
    { name: 'd', was: 'off', action: 'start' },
    { name: 'b', was: 'running', action: 'none' },
    { name: 'a', was: 'off', action: 'start' },
    { name: 'c', was: 'off', action: 'start' },
  ]);
});

test.each([
  ['paused', 'domain 5, paused: bofh vm resume a'],
  ['dying', 'domain 5, dying: wait until xl list no longer shows it'],
  [
    'building',
    'domain 5, paused, its configuration is unknown: if an xl create is running for it, wait; otherwise it may be complete: see xl list -v and /var/log/xen',
  ],
  ['crashed', 'domain 5, crashed: it still uses its disks; see its log in /var/log/xen, then: xl destroy 5'],
  [
    'shutdown',
    'domain 5, shut down, but still in xl list: it still uses its disks; see its log in /var/log/xen, then: xl destroy 5',
  ],
] as const)('a %s domain is distinguished from a running one, and not started', (state, why) => {
  expect(startAllPlan({ guests: [{ name: 'a' }], domains: [domain(5, 'a', state)], held: none })).toEqual([
    { name: 'a', was: state, action: 'refuse', why },
  ]);
});

describe('a guest is refused', () => {
  const plan = (given: Partial<Parameters<typeof startAllPlan>[0]>) =>
    startAllPlan({ guests: [{ name: 'a', uuid: uuid(1) }], domains: [], held: none, ...given });

  test('when it is in an open journal', () => {
    expect(plan({ held: new Set(['a']) })).toMatchObject([{ action: 'refuse', was: 'off' }]);
  });
  test('but not while it runs', () => {
    expect(plan({ held: new Set(['a']), domains: [domain(1, 'a', 'running')] })).toMatchObject([
      { action: 'none' },
    ]);
  });
  test('when another domain has its name', () => {
    expect(plan({ domains: [domain(2, 'a', 'running')] })).toMatchObject([
      { action: 'refuse', why: `domain 2, running has its name but the uuid ${uuid(2)}` },
    ]);
  });
  test('when another domain has its UUID', () => {
    expect(plan({ domains: [domain(1, 'b', 'running')] })).toMatchObject([
      { action: 'refuse', why: 'its uuid is that of b (domain 1, running)' },
    ]);
  });
  test('when a nameless domain has its UUID', () => {
    expect(plan({ domains: [domain(1, undefined, 'building')] })).toMatchObject([
      { action: 'refuse', was: 'building' },
    ]);
  });
  test('when only the order lists it', () => {
    expect(plan({ order: ['zz'] })[1]).toEqual({
      name: 'zz',
      was: 'unknown',
      action: 'refuse',
      why: 'startOrder of the site file names it, but it has no configuration',
    });
  });
});

test('Domain-0 is never a guest', () => {
  expect(
    startAllPlan({ guests: [{ name: 'Domain-0' }], domains: [domain(0, 'Domain-0', 'running')], held: none }),
  ).toEqual([{ name: 'Domain-0', was: 'off', action: 'start' }]);
});
