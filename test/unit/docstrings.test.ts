import { describe, expect, it } from 'vitest';
import { type Option, publishedApi } from '../support/api/published.ts';

const api = publishedApi();

/** Options without a docstring, by the place of their declaration. */
function bare(options: readonly Option[], of: string): readonly string[] {
  return options.flatMap((option) => [
    ...(option.text === '' ? [`${option.at} ${of}.${option.name}`] : []),
    ...bare(option.options, `${of}.${option.name}`),
  ]);
}

describe('an editor shows a docstring', () => {
  it('for everything that is exported, and everything on tx', () => {
    expect(api.callables.length).toBeGreaterThan(300);
    expect(api.callables.filter(({ text }) => text === '').map(({ name, at }) => `${at} ${name}`)).toEqual(
      [],
    );
  });

  it.each([
    ["lvm.createLv({ vg: 'vg0', name", 'Name of the new volume in its group'],
    ["crypt.open({ device: '/dev/sda2', key: { from: 'file', path", 'Absolute path of the file'],
    ['vm.create({ memory', 'in bytes or as text'],
    ['atomic("x", async () => 1, { timeout', 'after this many milliseconds'],
  ])('where an option is typed: %s', (call, text) => {
    expect(api.hover(`api0.${call}`)).toContain(text);
  });

  it('for every option', () => {
    const all = api.callables.flatMap(({ name, parameters }) =>
      parameters.flatMap(({ options }) => bare(options, name)),
    );
    const once = new Map(all.map((line) => [line.split(' ')[0], line]));
    expect([...once.values()].sort()).toEqual([]);
  });
});
