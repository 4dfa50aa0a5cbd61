import { beforeEach, describe, expect, it } from 'vitest';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { bofh } from './support/built.ts';
import { containing } from './support/containing.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host = simulatedHost();
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 2 });
});

async function listed(format: string, words = 'lvm list') {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { format });
  expect(await runVerb(runtime, words)).toBe(0);
  return stdout();
}

describe('--format', () => {
  it('prints these columns in this order, with tabs between them and without a heading', async () => {
    expect(await listed('size,volume,origin')).toBe('8 MiB\tvg0/a\t\n16 MiB\tvg0/web1\t\n');
    expect(await listed('VOLUME')).toBe('vg0/a\nvg0/web1\n');
  });

  it('writes a title of several words with hyphens', async () => {
    await expect(listed('last', 'journal list')).rejects.toMatchObject({
      message: containing('id, state, last-change, took, user, name, steps'),
    });
  });

  it.each([
    ['sise', 'size'],
    ['', 'open'],
    ['volume,', 'open'],
    ['pol', 'pool'],
  ])('refuses the unknown column in "%s", also of an empty table, and names all', async (format) => {
    host = simulatedHost();
    await expect(listed(format)).rejects.toMatchObject({
      name: 'UsageError',
      message: containing('the columns are volume, size, active, open, layout, origin, pool, data%, meta%'),
      remedy: containing('did you mean '),
    });
  });

  it('prints nothing for an empty table', async () => {
    host = simulatedHost();
    expect(await listed('volume')).toBe('');
  });

  it.each([
    [
      ['lvm', 'create', 'vg0/a', '--size', '1g'],
      '--format selects columns of a table, but "lvm create" prints no table',
    ],
    [['block', 'tree'], '--format selects columns of a table, but "block tree" prints no table'],
    [['lvm', 'list', '--json'], '--format and --json exclude each other'],
  ])('is refused before anything happens: %j', async (words, says) => {
    const { exitCode, stdout, stderr } = await bofh([...words, '--format', 'size']);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
    expect(stdout === '' || words.includes('--json')).toBe(true);
  });
});
