import type { ReadHost } from '../command/index.ts';
import { type AptSource, knownPackages, listsOf } from '../packages/index.ts';
import { sha256 } from '../file/path.ts';
import type { Resource } from './resource.ts';
import { type Owners, type Step, stepOf } from './steps.ts';
import { together } from './text-file.ts';

type AptSourceResource = Extract<Resource, { readonly kind: 'apt-source' }>;

/** Returns the files of a repository, with their texts. */
export function filesOf({ path, wanted }: AptSourceResource) {
  return [
    ...(wanted.key === undefined ? [] : [{ path: wanted.signedBy, text: wanted.key }]),
    { path, text: textOf(wanted) },
  ];
}

/** Returns how the file, key or lists of a repository differ, and the step that changes them. */
export async function aptSourceStep(
  host: ReadHost,
  one: AptSourceResource,
  owners: Owners,
): Promise<Step | undefined> {
  const { name, path, wanted } = one;
  const files = filesOf(one);
  const steps: Step[] = [];
  for (const { path: at, text } of files) {
    // The user of apt must be able to read the file.
    const content = { content: Buffer.from(text), secret: false, mode: 0o644 };
    const step = await stepOf(host, { ...one, kind: 'file', path: at, wanted: content }, owners);
    if (step !== undefined) steps.push(step);
  }
  const isKnown = (await listsOf(host, [wanted])).isComplete;
  if (steps.length === 0 && isKnown) return undefined;
  const both = together(steps);
  const last = steps.find((step) => step.name === path);
  return {
    ...{ action: last?.action ?? 'change', kind: 'apt-source', name },
    details: [
      [...wanted.uris, ...wanted.suites, ...wanted.components].join(' '),
      ...steps.map((step) => `${step.action}s ${step.name}`),
      'reads its lists',
    ],
    ...(last?.content === undefined ? {} : { content: last.content }),
    created: files
      .filter(({ path: at }) => steps.some((step) => step.name === at && step.action === 'create'))
      .map(({ path: at, text }) => ({ kind: 'file', name: at, identity: sha256(Buffer.from(text)) })),
    check: both.check,
    run: async (tx, say) => {
      await both.run(tx, say);
      await tx.packages.updateSource({ file: path });
    },
  };
}

/**
 * Returns the names of described packages that are not installed as wanted. A plan does not read the
 * lists of a new repository, so it cannot know whether these packages exist, and in which version.
 */
export async function undecided(
  host: ReadHost,
  all: readonly Extract<Resource, { readonly kind: 'package' }>[],
): Promise<readonly string[]> {
  const known = await knownPackages(host);
  return all
    .filter(({ name, wanted: { absent, version } }) => {
      const there = known.get(name);
      const isThere = there?.status === 'installed' && (version === undefined || version === there.version);
      return absent === undefined && !isThere;
    })
    .map(({ name }) => name);
}

function textOf({
  uris,
  suites,
  components,
  architectures = [],
  signedBy,
}: AptSource & { readonly architectures?: readonly string[]; readonly signedBy: string }): string {
  const lines = { URIs: uris, Suites: suites, Components: components, Architectures: architectures };
  return [
    'Types: deb',
    ...Object.entries(lines).flatMap(([field, words]) =>
      words.length === 0 ? [] : [`${field}: ${words.join(' ')}`],
    ),
    `Signed-By: ${signedBy}\n`,
  ].join('\n');
}
