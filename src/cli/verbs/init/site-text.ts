import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { defaultSite, type Site, type SiteSettings } from '../../../site.ts';
import { siteSettings } from '../../../site-settings.ts';

type Known = Exclude<keyof Site, 'operations'>;

/** Values for the lines that are commented out: the default, or an example. */
const examples: Required<Pick<SiteSettings, Known>> = {
  ...defaultSite,
  volumeGroup: 'vg0',
  guestKernel: '/boot/vmlinuz-6.1.0-18-amd64',
  guestRamdisk: '/boot/initrd.img-6.1.0-18-amd64',
  startOrder: ['dns1', 'db1'],
  bridge: 'xenbr0',
  guestSshKeys: ['/root/.ssh/id_ed25519.pub'],
  guestGateway: ['192.0.2.1'],
  guestDns: ['192.0.2.53'],
  debianMirror: 'http://deb.debian.org/debian',
  debianPackages: ['vim'],
  luksNaming: '{name}-luks',
  keys: { backup: { from: 'file', path: '/root/backup.key' } },
  hosts: { web2: { destination: 'root@192.0.2.2', options: { Port: '2222' } } },
};

/** The published types: in `dist/types`, beside the running program, or the source itself. */
export const typesHere = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../index.ts' : './types/index.d.ts', import.meta.url),
);

/** The example of a site file that comes with bofh; the Debian package also puts it into /etc/bofh. */
export const exampleHere = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../../../site-specific.ts' : '../site-specific.ts',
    import.meta.url,
  ),
);

/**
 * Returns a site file with these settings; every other setting is in it as a comment. An editor finds the
 * types by their path, because it does not look into the directory of global packages. Nothing is imported
 * when the file is loaded.
 */
export function siteText(site: {
  readonly types: string;
  readonly settings: SiteSettings;
  /** The reasons for some settings: the state of the host. */
  readonly why: Readonly<Partial<Record<keyof Site, string>>>;
  readonly sources: readonly string[];
}): string {
  const { types, settings, why, sources } = site;
  const entries = siteSettings(defaultSite).flatMap(({ name, description }) => {
    if (name === 'operations') return [];
    const value = settings[name];
    const reason = why[name];
    return [
      comment(`${capital(description)}.`),
      ...(reason === undefined ? [] : [comment(`On this host: ${reason}`)]),
      `  ${value === undefined ? '// ' : ''}${name}: ${literal(value ?? examples[name])},`,
      '',
    ];
  });
  return [
    '// The settings of bofh for this host, written by "bofh init". Every line may be left out.',
    '// "bofh doctor --settings" shows what applies.',
    ...(sources.length === 0 ? [] : [comment(`For bofh vm create --source: ${sources.join(', ')}`).trim()]),
    `import type { SiteSettings } from ${literal(types)};`,
    '',
    'export default {',
    ...entries.slice(0, -1),
    '} satisfies SiteSettings;',
    '',
  ].join('\n');
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** Makes a comment. A name on the host must not end it, because root would run the rest as code. */
function comment(text: string): string {
  return `  // ${text.replaceAll(/[^\x20-\x7e]/g, '?')}`;
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  const all = { depth: null, maxArrayLength: null, maxStringLength: null } as const;
  return inspect(value, { ...all, compact: true, breakLength: Number.POSITIVE_INFINITY });
}
