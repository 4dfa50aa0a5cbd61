import { describe, expect, it } from 'vitest';
import { publishedApi, undocumented } from '../support/api/published.ts';

const api = publishedApi();

describe('an editor shows a docstring', () => {
  it('for everything that is exported, everything on tx, and every option', () => {
    expect(api.callables.length).toBeGreaterThan(400);
    expect(api.callables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['lvm.createLv', 'tx.on', 'tx.temporary.mount.mount', 'tx.ensure.lvm.createLv']),
    );
    expect(api.callables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['admin.lvcreate', 'simulated.fault', 'peer.mend']),
    );
    expect(undocumented(api)).toEqual([]);
  });

  it.each([
    ["lvm.createLv({ vg: 'vg0', name", 'Name of the new volume in its group'],
    ["crypt.open({ device: '/dev/sda2', key: { from: 'file', path", 'Absolute path of the file'],
    ['vm.create({ memory', 'in bytes or as text'],
    ['atomic("x", async () => 1, { timeout', 'after this many milliseconds'],
  ])('where an option is typed: %s', (call, text) => {
    expect(api.hover(`api0.${call}`)).toContain(text);
  });
});
