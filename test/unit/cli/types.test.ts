import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { siteText } from '../../../src/cli/verbs/init/site-text.ts';
import { publishedApi, undocumented } from '../../support/api/published.ts';
import { run } from './support/built.ts';

const root = join(import.meta.dirname, '../../..');
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

const compilerOptions = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
};

/** The project of a user who has installed bofh, and not the library that its schemas are written with. */
let project = '';
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'bofh-types-'));
  const installed = join(project, 'node_modules/bofh');
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(installed, 'package.json'));
  symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'));
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  const { BOFH_BUILT: built } = process.env;
  const dist = join(installed, 'dist');
  if (built !== undefined) cpSync(built, dist, { recursive: true });
  else await run(process.execPath, [join(root, 'scripts/build.mjs'), '--out', dist]);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** What tsc says of these files, and of the types that they lead to: a line for each fault. */
async function faultsIn(
  files: Readonly<Record<string, string>>,
  options: Readonly<Record<string, unknown>> = {},
): Promise<readonly string[]> {
  for (const [name, code] of Object.entries(files)) writeFileSync(join(project, name), code);
  const config = { compilerOptions: { ...compilerOptions, ...options }, files: Object.keys(files) };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  const { stdout } = await run(process.execPath, [tsc, '-p', project], { cwd: project });
  // @types/node has faults of its own under exactOptionalPropertyTypes (20.19.9: https.d.ts).
  return stdout.split('\n').filter((line) => /^(?!node_modules\/(?!bofh\/)|\.\.\/)\S/.test(line));
}

describe('the published types', () => {
  it('accept valid and refuse invalid code, in a strict project without our libraries', async () => {
    const right = `
      import { atomic, defineSite, MountPool, RolledBackError, xen, lvm, parseSize, type Answers, type Site } from 'bofh';
      import { AtomicOperationSequence, operation, type Schema } from 'bofh/atomic';
      import { simulatedBofh } from 'bofh/testing';
      export const site = defineSite({ volumeGroup: 'vg0', startOrder: ['web1'] });
      export const group: Site['volumeGroup'] = site.volumeGroup;
      export const path: string = await atomic('disk', async (tx) => {
        const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: parseSize('1g') });
        await tx.filesystem.create({ device: lv.path, type: 'ext4' });
        return lv.path;
      });
      for (const domu of await xen.allDomus()) if (!(await domu.isRunning())) await domu.start();
      export const sizes: number[] = (await lvm.lvs()).map((lv) => lv.size);
      await new MountPool(['/mnt']).with('/dev/sda1', async (at: string) => console.log(at));
      export const failed = (error: unknown) => error instanceof RolledBackError && error.leftUntouched.length;
      export const full = (volumes: Answers['lvm list']) => volumes.filter(({ filling }) => filling === 'full');
      export const failure = ({ error }: Answers['error']): string => error.failed + error.host;
      export const first = ([step]: Answers['plan']['steps']) => step?.kind;
      // @ts-expect-error -- there is no such answer
      export type None = Answers['lvm lists'];
      // @ts-expect-error -- there is no such key
      export const size = (volumes: Answers['lvm list']) => volumes[0]?.sise;
      export const wrong = () => atomic('x', async (tx) => {
        // @ts-expect-error -- a size is no truth value
        await tx.lvm.createLv({ vg: 'v', name: 'n', size: true });
        // @ts-expect-error -- there is no such argument
        await tx.lvm.createLv({ vg: 'v', name: 'n', size: 1, sise: 2 });
        // @ts-expect-error -- there is no such setting
        defineSite({ volumeGroop: 'vg0' });
      });
      export { AtomicOperationSequence, operation, simulatedBofh, type Schema };
    `;

    // What functions take and give has a name.
    const names = `
      import { block, btrfs, crypt, drbd, filesystem, lvm, mount, network, vm } from 'bofh';
      import type { Engine, Host, Signature } from 'bofh';
      import type { LogicalVolume, OperationArgs, OperationValue, VmCreateRequest } from 'bofh';
      export const args: OperationArgs<'lvm', 'createLv'> = { vg: 'vg0', name: 'a', size: '1g' };
      export const made = (lv: OperationValue<'lvm', 'createLv'>): string => lv.path;
      export type More = [LogicalVolume, VmCreateRequest];
      export type All = [
        lvm.LogicalVolume, lvm.VolumeGroup, lvm.PhysicalVolume, vm.CreateRequest, vm.CreatedVm,
        vm.RemoveRequest, vm.RemovePlan, vm.MoveRequest, vm.MovedVm, filesystem.FilesystemDetails,
        filesystem.FilesystemCheck, filesystem.Signature, network.Interface, crypt.LuksDevice, crypt.LuksHeader,
        crypt.Mapping, crypt.OpenDevice, btrfs.Subvolume, btrfs.SubvolumeRow, btrfs.Usage, btrfs.Device,
        drbd.Resource, drbd.Finding, drbd.Next, drbd.ProcStatus, mount.MountEntry, mount.FstabLine,
        mount.CrypttabLine, Engine, Host, Signature,
      ];
      export const sizes = [
        () => filesystem.resize({ device: '/dev/a', size: '10g' }),
        () => block.resize({ device: '/dev/a', to: { size: '10g' } }),
        () => block.resize({ device: '/dev/a', to: { by: '-1g' } }),
      ];
    `;

    const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => `import './examples/${name}';`);
    expect(examples).not.toEqual([]);
    cpSync(join(root, 'examples'), join(project, 'examples'), { recursive: true });

    const files = { 'right.ts': right, 'names.ts': names, 'examples.ts': examples.join('\n') };
    expect(await faultsIn(files, { allowImportingTsExtensions: true })).toEqual([]);
  });

  it.each([
    ['nothing else', ['es2023', 'esnext.disposable']],
    ['the DOM', ['es2023', 'esnext.disposable', 'dom']],
    ['ES2022 alone', ['es2022']],
  ])(
    'need no @types/node: with %s',
    async (_, lib) => {
      const code = `
      import { atomic } from 'bofh';
      import { operation } from 'bofh/atomic';
      import { simulatedBofh } from 'bofh/testing';
      export const stopped = await atomic('x', (tx): boolean => tx.signal.aborted);
      export { operation, simulatedBofh };
    `;

      expect(await faultsIn({ 'main.ts': code }, { types: [], lib })).toEqual([]);
    },
    60_000,
  );

  it.each([
    ['a project of its own', {}],
    ['an editor without a project', { module: 'esnext', moduleResolution: 'bundler' }],
  ])(
    'are found by the site file of bofh init without an installed package: %s',
    async (_, options) => {
      const types = join(project, 'node_modules/bofh/dist/types/index.d.ts');
      const text = siteText({ types, settings: { volumeGroup: 'vg0' }, why: {}, sources: [] });
      const used = text.replaceAll(/^ {2}\/\/ (?=\w+: )/gm, '  ');

      expect(used).not.toBe(text);
      const wrong = text.replace('volumeGroup', 'volumeGroop');
      expect(await faultsIn({ 'text.ts': text, 'used.ts': used, 'wrong.ts': wrong }, options)).toEqual([
        expect.stringMatching(/^wrong\.ts\(.*'volumeGroop' does not exist in type/),
      ]);
    },
    120_000,
  );

  it('show a docstring for every function, every method of tx and every option', () => {
    const published = publishedApi(join(project, 'node_modules/bofh/dist/types'), '.d.ts');

    expect(published.callables.length).toBeGreaterThan(400);
    expect(undocumented(published)).toEqual([]);
    expect(published.hover("api0.lvm.createLv({ vg: 'vg0', name")).toContain('Name of the new volume');
  });

  it('need no library that a user would have to install', () => {
    const types = join(project, 'node_modules/bofh/dist/types');
    const files = readdirSync(types, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.d.ts'),
    );
    const foreign = files.flatMap((name) =>
      [
        ...readFileSync(join(types, name), 'utf8').matchAll(
          /(?:from |import\()["'](?<from>[^."'][^"']*)["']/g,
        ),
      ].map(({ groups }) => groups?.from ?? ''),
    );

    expect(files.length).toBeGreaterThan(10);
    // What a program imports leads to none of these: the test above compiles it.
    expect([...new Set(foreign)].filter((from) => !from.startsWith('node:'))).toEqual([]);
  });
});
