import { describe, expect, it } from 'vitest';
import { atomic, currentBofh, settings, withBofh, withSite } from '../../src/bofh.ts';
import { UsageError } from '../../src/core/errors.ts';
import { defaultSite, overrideSite, parseSite, type SiteSettings } from '../../src/site.ts';
import { siteSettings } from '../../src/site-settings.ts';
import { simulatedBofh } from '../../src/simulator/index.ts';

const file = '/etc/bofh/site-specific.ts';
const site = parseSite({ volumeGroup: 'vg0', startOrder: ['web1'] }, file);
const origins = (of: typeof site) =>
  Object.fromEntries(siteSettings(of).map(({ name, origin }) => [name, origin]));
const group = (): string | undefined => currentBofh().site.volumeGroup;
const on = <T>(body: () => T): T => withBofh(simulatedBofh({ site }), body);

describe('the settings of a site', () => {
  it('are complete, each with a description', () => {
    const whole = {
      ...{ volumeGroup: 'x', guestKernel: '/k', guestRamdisk: '/r', bridge: 'b' },
      ...{ luksNaming: '{name}-luks', debianMirror: 'http://localhost/debian' },
    };
    const names = Object.keys(parseSite(whole, 'x'));
    expect(
      siteSettings(site)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(names.toSorted());
    for (const { description } of siteSettings(site)) expect(description.length).toBeGreaterThan(20);
  });

  it('name their source: a file, a default, an override, or a program', () => {
    expect(origins(site)).toMatchObject({
      volumeGroup: { by: 'site file', where: file },
      startOrder: { by: 'site file', where: file },
      guestConfigDirs: { by: 'default' },
      bridge: { by: 'default' },
    });
    const overridden = overrideSite(site, { startOrder: [], bridge: 'br0' });
    expect(origins(overridden)).toMatchObject({
      volumeGroup: { by: 'site file', where: file },
      startOrder: { by: 'override' },
      bridge: { by: 'override' },
      guestConfigDirs: { by: 'default' },
    });
    expect(origins({ ...defaultSite }).guestConfigDirs).toEqual({ by: 'program' });
  });

  it('are read-only, nested ones too', () => {
    expect(() => site.startOrder.push('web2')).toThrow(TypeError);
    expect(() => Object.assign(site, { volumeGroup: 'vg1' })).toThrow(TypeError);
    expect(() => Object.assign(site.diskNaming, { root: '{name}' })).toThrow(TypeError);
    expect(() => defaultSite.guestConfigDirs.push('/x')).toThrow(TypeError);
  });
});

describe('withSite', () => {
  it('replaces settings while its body runs, and returns its value', async () => {
    await on(async () => {
      const value = await withSite({ volumeGroup: 'vg1' }, async () => {
        await Promise.resolve();
        expect(group()).toBe('vg1');
        expect(currentBofh().site.startOrder).toEqual(['web1']);
        return 5;
      });
      expect(value).toBe(5);
      expect(group()).toBe('vg0');
    });
  });

  it('may be nested, and each ends with its own body, on an error too', async () => {
    await on(async () => {
      await withSite({ volumeGroup: 'vg1', startOrder: ['x'] }, async () => {
        const failed = withSite({ volumeGroup: 'vg2' }, async () => {
          expect([group(), currentBofh().site.startOrder]).toEqual(['vg2', ['x']]);
          await Promise.resolve();
          throw new Error('in the body');
        });
        await expect(failed).rejects.toThrow('in the body');
        expect(group()).toBe('vg1');
        expect(() =>
          withSite({ volumeGroup: 'vg3' }, () => {
            throw new Error('at once');
          }),
        ).toThrow('at once');
        expect(group()).toBe('vg1');
      });
      expect(group()).toBe('vg0');
    });
  });

  it('does not affect concurrent code', async () => {
    await on(async () => {
      const seen: (string | undefined)[] = [];
      const each = (name: string) =>
        withSite({ volumeGroup: name }, async () => {
          for (let turn = 0; turn < 3; turn += 1) {
            await new Promise((resolve) => setImmediate(resolve));
            seen.push(group() === name ? name : 'another');
          }
        });
      const both = [each('a'), each('b')];
      expect(group()).toBe('vg0');
      await Promise.all(both);
      expect(new Set(seen)).toEqual(new Set(['a', 'b']));
    });
  });

  it('may be used in a sequence, whose steps are undone with it, and starts none', async () => {
    await on(async () => {
      const failed = atomic('outer', (tx) =>
        withSite({ volumeGroup: 'vg1' }, async () => {
          await tx.file.create({ path: '/etc/x', content: group() ?? '', mode: 0o600 });
          throw new Error('after it');
        }),
      );
      await expect(failed).rejects.toThrow('after it');
      expect(await currentBofh().host.stat('/etc/x')).toBeUndefined();
      const nested = atomic('outer', () => withSite({}, () => atomic('inner', async () => undefined)));
      await expect(nested).rejects.toThrow(UsageError);
    });
  });

  it.each([
    [{ volumeGruop: 'vg1' }, /did you mean "volumeGroup"/],
    [{ guestConfigDirs: ['etc'] }, /guestConfigDirs.0: must be an absolute path/],
    [{ diskNaming: { root: '{name}' } }, /diskNaming.swap/],
    [{ volumeGroup: undefined }, /volumeGroup/],
  ])('refuses %j before its body runs', (wrong, why) => {
    let ran = false;
    const run = (): unknown =>
      withSite(wrong as SiteSettings, () => {
        ran = true;
      });
    expect(run).toThrow(UsageError);
    expect(run).toThrow(why);
    expect(ran).toBe(false);
  });

  it('is shown by settings()', () => {
    on(() =>
      withSite({ bridge: 'br0' }, () => {
        expect(settings().find(({ name }) => name === 'bridge')).toMatchObject({
          value: 'br0',
          origin: { by: 'override' },
        });
      }),
    );
  });
});
